// Where a fault was thrown, for the log: its message may hold what a caller sent, a place in our code does not.

export function faultPlace(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  return /\(?([^\s()/]+\.m?[jt]s:\d+:\d+)\)?/.exec(stack.slice(stack.indexOf('\n')))?.[1] ?? 'unknown'
}
