// Runs an expensive start once and hands its result to everybody; a failed one is tried again by the next who asks.

export type Once<T> = (() => Promise<T>) & { started(): boolean }

export function once<T>(make: () => Promise<T>): Once<T> {
  let made: Promise<T> | undefined
  const get = (): Promise<T> => {
    made ??= make().catch((error: unknown) => {
      made = undefined
      throw error
    })
    return made
  }
  return Object.assign(get, { started: () => made !== undefined })
}
