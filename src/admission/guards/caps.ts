// How large a raw text may be: within these caps the worst one takes the guards a few milliseconds (npm run verify guards).

export const MAX_CHARACTERS = 10_000
export const MAX_TOKENS = 1_500
export const MAX_OPERATORS = 300
export const MAX_NESTING = 64

/** What a cap says of a text that is beyond it. */
export const TOO_LARGE = {
  characters: 'it has more than 10,000 characters',
  tokens: 'it has more than 1,500 tokens',
  operators: 'it has more than 300 operators',
  nesting: 'it nests more than 64 levels',
} as const
