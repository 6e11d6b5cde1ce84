// The texts of failed calls, in the words of seed 001.
import { type Denial, denialText } from '../core/denials.ts'

/** Where the backend names no reason (the console's own words, ductape-backend.md 3.4). */
const NO_REASON = 'SDK operation failed'

const withMessage = (sentence: string, message: string | undefined): string =>
  message === undefined ? sentence : `${sentence}\n${message}`

/** `Error: <message>`, by HTTP status `Error: Proxy request failed: <status>` and the backend's message on a new line. */
export function executeFailure(denial: Denial): string {
  if (denial.code === 'backend_failed') return `Error: ${denial.backendMessage ?? NO_REASON}`
  if (denial.code === 'backend_refused' || denial.code === 'backend_busy') {
    return withMessage(`Error: Proxy request failed: ${denial.backendStatus}`, denial.backendMessage)
  }
  return `Error: ${denialText(denial)}`
}

/** `Payload generation request failed` and the backend's message, or our sentence, on a new line. */
export function generateFailure(denial: Denial): string {
  const ours =
    denial.code === 'backend_failed' || denial.code === 'backend_refused' ? undefined : denialText(denial)
  return withMessage('Payload generation request failed', denial.backendMessage ?? ours)
}
