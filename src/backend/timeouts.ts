// Deadlines of single methods where the backend allows more than the default (ductape-backend.md 3.6).

const SECOND = 1000

const SLOW: Readonly<Record<string, number>> = {
  'databases.create': 1200 * SECOND,
  'databases.migration.run': 600 * SECOND,
  'databases.migration.rollback': 600 * SECOND,
  'databases.schema.createIndex': 300 * SECOND,
}

/** Prepares the lookup: the operator's own rows win, then the backend's table, then the default; all in milliseconds. */
export function prepareTimeouts(
  defaultTimeout: number,
  own: Readonly<Record<string, number>>,
): (module: string, method: string) => number {
  const table = new Map([...Object.entries(SLOW), ...Object.entries(own)])
  return (module, method) => table.get(`${module}.${method}`) ?? defaultTimeout
}
