// Writes a call of the Ductape SDK as a TypeScript module; the form is that of the public code generation page.
import type { Json } from '../../core/json.ts'
import { type Dialect, quote, quoteName, writeLiteral } from './literal.ts'

const IDENTIFIER = /^[A-Za-z_$][A-Za-z0-9_$]*$/

const astral = (hex: string): string => `\\u{${hex}}`

const dialect: Dialect = {
  indent: 2,
  words: { null: 'null', true: 'true', false: 'false' },
  name(name) {
    // Written as a plain name it would set the prototype.
    if (name === '__proto__') return '["__proto__"]'
    return IDENTIFIER.test(name) ? name : quoteName(name, astral)
  },
  number: (digits) => digits,
  string: (text) => quote(text, astral),
  parsed: (json) => `JSON.parse(${quote(json, astral)})`,
}

/** `call` is the SDK path of the operation, e.g. `databases.query`: fixed words of the catalogue. */
export function writeTypeScript(call: string, payload: Json, args: Json): string {
  return `import Ductape from "@ductape/sdk";

const ductape = new Ductape({
  workspace_id: process.env.DUCTAPE_WORKSPACE_ID!,
  user_id: process.env.DUCTAPE_USER_ID!,
  public_key: process.env.DUCTAPE_PUBLIC_KEY!,
});

async function run() {
  // The payload that Ductape generated
  const payload = ${writeLiteral(payload, dialect, 1)};

  // The same, flattened into the argument of ${call}
  const args = ${writeLiteral(args, dialect, 1)};

  const result = await ductape.${call}(args);

  return { payload, result };
}

run().catch(console.error);
`
}
