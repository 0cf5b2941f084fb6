// npm start: continues a prompt with the bundled model, an Italian one when none is given.

const args = process.argv.slice(2);
if (args.length === 0) args.push("C'era una volta, in un piccolo paese,");
if (!args[0].startsWith("-")) process.stdout.write(args[0]);
process.argv.splice(2, Number.POSITIVE_INFINITY, "complete", ...args);
await import("../../dist/cli.js");
