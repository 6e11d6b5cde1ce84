// The public face of limits.
export { estimateTokens } from './estimate.ts'
export { createLimiter, type Limiter, type LimiterOptions } from './limiter.ts'
export { compileLimits, defaultLimits } from './rules.ts'
export { settleCall } from './settle.ts'
