// Compares a JSON value with what a snippet's literal evaluates to: own members in order, -0 apart from 0, raw numbers by their value.

const { isRawJSON } = JSON as unknown as { isRawJSON(value: unknown): value is { rawJSON: string } }

const INTEGER = /^-?\d+$/

/** The path of the first difference, or undefined. Two raw integers are compared digit by digit, everything else as a double. */
export function difference(expected: unknown, actual: unknown, path = '$'): string | undefined {
  if (isRawJSON(expected) || isRawJSON(actual)) return sameScalar(expected, actual) ? undefined : path
  if (typeof expected !== 'object' || expected === null || typeof actual !== 'object' || actual === null) {
    return Object.is(expected, actual) ? undefined : path
  }
  if (Array.isArray(expected) !== Array.isArray(actual)) return path
  const names = Object.keys(expected)
  const others = Object.keys(actual)
  if (names.length !== others.length || names.some((name, i) => name !== others[i])) return `${path} (names)`
  if (!Array.isArray(actual) && Object.getPrototypeOf(actual) !== Object.prototype)
    return `${path} (prototype)`
  for (const name of names) {
    const found = difference(own(expected, name), own(actual, name), `${path}[${JSON.stringify(name)}]`)
    if (found !== undefined) return found
  }
  return undefined
}

// Reading .__proto__ would find the accessor of Object.prototype where the member is missing.
function own(object: object, name: string): unknown {
  return Object.getOwnPropertyDescriptor(object, name)?.value
}

function sameScalar(expected: unknown, actual: unknown): boolean {
  const digits = [expected, actual].map((side) => (isRawJSON(side) ? side.rawJSON : ''))
  if (digits.every((side) => INTEGER.test(side) && side !== '-0'))
    return new Set(digits.map(BigInt)).size === 1
  const [a, b] = [expected, actual].map((side) =>
    isRawJSON(side) ? (JSON.parse(side.rawJSON) as unknown) : side,
  )
  return Object.is(a, b)
}
