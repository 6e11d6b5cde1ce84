// What rules can set for the SQL guard.

export interface SqlSettings {
  /** UNION is allowed; otherwise it is refused, wherever it stands. */
  readonly union: boolean
  /** `expression`: the text is a condition or a value, such as the predicate of an index, not a statement. */
  readonly form: 'statement' | 'expression'
}
