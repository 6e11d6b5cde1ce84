// The one kind of expected failure in the emulator and the two wire forms that it can take (contract 3.4, 3.5).

// 'proxy': refused before the SDK is asked, always a 4xx. 'sdk': the operation itself failed, form by option.
export type Origin = 'proxy' | 'sdk'

export class Refusal extends Error {
  readonly origin: Origin
  readonly code: string
  readonly status: number

  constructor(origin: Origin, code: string, status: number, message: string) {
    super(message)
    this.origin = origin
    this.code = code
    this.status = status
  }
}

export const malformed = (message: string): Refusal => new Refusal('proxy', 'VALIDATION_ERROR', 422, message)
export const notFound = (what: string): Refusal => new Refusal('sdk', 'NOT_FOUND', 404, `${what} not found`)
export const exists = (what: string): Refusal =>
  new Refusal('sdk', 'ALREADY_EXISTS', 400, `${what} already exists`)
export const failed = (code: string, message: string): Refusal => new Refusal('sdk', code, 400, message)
export const overLimit = (message: string): Refusal => failed('LIMIT_EXCEEDED', message)
export const notSupported = (message: string): Refusal => failed('NOT_SUPPORTED', message)
export const notEmulated = (message: string): Refusal => failed('NOT_EMULATED', message)
export const unauthorized = (message: string): Refusal => new Refusal('proxy', 'UNAUTHORIZED', 401, message)
