// What the build puts in the place of the SDK's validator of JSON schemas, which compiles them to code: no policy of a page allows that, and
// nothing here asks for it.

export class AjvJsonSchemaValidator {
  getValidator(): never {
    throw new Error("schemas of servers are not compiled here");
  }
}
