// Writes a call of the Ductape SDK as a Python module; the form is that of the public code generation page.
import type { Json } from '../../core/json.ts'
import { type Dialect, quote, quoteName, writeLiteral } from './literal.ts'

// Python refuses decimal integers of more than 4300 digits, in source as elsewhere (sys.int_info.default_max_str_digits); hexadecimal has no limit.
const MOST_DIGITS = 4300

const astral = (hex: string): string => `\\U${hex.padStart(8, '0')}`

const dialect: Dialect = {
  indent: 4,
  words: { null: 'None', true: 'True', false: 'False' },
  name: (name) => quoteName(name, astral),
  number(digits) {
    // An integer of Python has no negative zero.
    if (digits === '-0') return '-0.0'
    if (digits.length <= MOST_DIGITS || /[.eE]/.test(digits)) return digits
    const negative = digits.startsWith('-')
    const hex = `0x${BigInt(negative ? digits.slice(1) : digits).toString(16)}`
    return negative ? `-${hex}` : hex
  },
  string: (text) => quote(text, astral),
  parsed: (json) => `json.loads(${quote(json, astral)})`,
}

/** `call` is the SDK path of the operation, e.g. `databases.query`: fixed words of the catalogue. */
export function writePython(call: string, payload: Json, args: Json): string {
  return `from ductape import Ductape
import os
import json

ductape = Ductape(
    workspace_id=os.environ.get("DUCTAPE_WORKSPACE_ID"),
    user_id=os.environ.get("DUCTAPE_USER_ID"),
    public_key=os.environ.get("DUCTAPE_PUBLIC_KEY"),
)


def run():
    # The payload that Ductape generated
    payload = ${writeLiteral(payload, dialect, 1)}

    # The same, flattened into the argument of ${call}
    args = ${writeLiteral(args, dialect, 1)}

    result = ductape.${call}(args)

    return {"payload": payload, "result": result}
`
}
