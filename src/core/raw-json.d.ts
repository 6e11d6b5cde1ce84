// JSON.parse source text access (ECMAScript 2025 proposal, in V8 since 11.4): TypeScript's library does not declare it yet.
interface JSON {
  rawJSON(text: string): object
  isRawJSON(value: unknown): boolean
}
