// The guards: what the rest of the service knows of them.
export { type Inspection, inspect } from './inspect.ts'
export { compileGuards } from './rules.ts'
export { prepareGuards } from './stage.ts'
