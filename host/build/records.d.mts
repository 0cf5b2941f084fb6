export interface BuildTarget {
  name: string;
  settings(): unknown;
}
export class Records {
  constructor(path: string);
  isFresh(target: BuildTarget): boolean;
  add(target: BuildTarget, started: number, files: { inputs: string[]; outputs: string[] }): void;
  save(): void;
}
