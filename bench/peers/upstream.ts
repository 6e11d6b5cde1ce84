// What every peer does behind its protocol: one POST to the backend over undici's dispatch, the answer's text back.
import { Pool } from 'undici'

export type Ask = (
  call: { module: string; method: string; params: unknown[] },
  key: string,
) => Promise<string>

export function upstream(origin: string): Ask {
  const pool = new Pool(origin)
  return (call, key) =>
    new Promise((resolve, reject) => {
      const parts: Buffer[] = []
      let status = 0
      pool.dispatch(
        {
          method: 'POST',
          path: '/proxy/v1/sdk-proxy/execute',
          headers: { 'content-type': 'application/json', 'x-publishable-key': key },
          body: JSON.stringify(call),
        },
        {
          onRequestStart() {},
          onResponseStart(_controller, code) {
            status = code
          },
          onResponseData(_controller, chunk) {
            parts.push(chunk)
          },
          onResponseEnd() {
            const text = parts.length === 1 ? String(parts[0]) : String(Buffer.concat(parts))
            if (status === 200) resolve(text)
            else reject(new Error(`Proxy request failed: ${status}`))
          },
          onResponseError(_controller, error) {
            reject(error)
          },
        },
      )
    })
}
