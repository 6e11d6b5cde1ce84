// What a guard of raw query texts says of one text.

/**
 * `read`: it has been shown that the text only reads. `unproven`: it may be what somebody wants, but it may also change data, so the effect stays
 * what the catalogue says of raw text. `refused`: no honest text looks like this. `reason` is a clause of ours, never a piece of the text.
 */
export type TextVerdict =
  | { readonly kind: 'read' }
  | { readonly kind: 'unproven'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string }
