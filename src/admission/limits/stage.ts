// The stage `limits`: what the call needs is taken here and settled when the call is closed.
import type { Stage } from '../../core/call.ts'
import type { Limiter } from './limiter.ts'

/** Sets `call.reservation` and `call.deadline`. */
export const prepareLimits = (limiter: Pick<Limiter, 'reserve'>): Stage => limiter.reserve
