// A typed client of the REST interface of ductape-mcp on fetch alone; copy it together with types.ts.
import { PATHS, type Problem, type ToolList, type Tools } from './types.ts'

/** A refusal or failure; `problem.code` is stable, `problem.retryable` says whether to repeat the call. */
export class ProblemError extends Error {
  readonly problem: Problem
  constructor(problem: Problem) {
    super(problem.detail)
    this.name = 'ProblemError'
    this.problem = problem
  }
}

export interface ClientOptions {
  /** Origin of the service, for example http://127.0.0.1:3001. */
  url: string
  /** Sent with every request, for example an Authorization. */
  headers?: Record<string, string>
  fetch?: typeof fetch
}

export interface CallOptions {
  signal?: AbortSignal
  /** A UUID; it is in the audit record and goes on to the backend. */
  requestId?: string
}

export interface Client {
  call<Name extends keyof Tools>(
    tool: Name,
    args: Tools[Name]['arguments'],
    options?: CallOptions,
  ): Promise<Tools[Name]['result']>
  tools(): Promise<ToolList>
}

export function createClient({ url, headers = {}, fetch: ask = fetch }: ClientOptions): Client {
  const request = async (path: string, init: RequestInit): Promise<unknown> => {
    const response = await ask(new URL(path, url), { ...init, redirect: 'error' })
    const body: unknown = await response.json()
    if (response.ok) return body
    throw new ProblemError(body as Problem)
  }
  return {
    call: (tool, args, { signal, requestId } = {}) =>
      request(PATHS[tool], {
        method: 'POST',
        headers: {
          ...headers,
          'content-type': 'application/json',
          ...(requestId !== undefined && { 'x-request-id': requestId }),
        },
        body: JSON.stringify(args),
        ...(signal !== undefined && { signal }),
      }) as Promise<never>,
    tools: () => request('/v1/tools', { headers }) as Promise<ToolList>,
  }
}
