// The guards: what the rest of the service knows of them.
export { prepareGuards } from './stage.ts'
