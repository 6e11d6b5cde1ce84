// The closed list of what a verifier finds wrong (docs/reference/evidence.md, "What a verifier says").

export const CODES = {
  line_malformed: 'the line is not one JSON object of at most 64 KiB',
  line_not_canonical: 'the line is not byte-equal to its canonical form (RFC 8785)',
  record_schema: 'a member is missing, unknown or of the wrong form',
  hash_mismatch: 'the record is not what its hash says',
  prev_mismatch: 'the record does not name the hash of the one before it',
  seq_gap: 'a record is missing, repeated or out of order',
  chain_unopened: 'the chain does not begin here: its first record is not given',
  chain_after_close: 'the chain was closed before',
  checkpoint_missing: 'too many records, or too long a time, without a checkpoint',
  checkpoint_root: 'the records are not those that the checkpoint signed',
  checkpoint_claims: 'the signed text is about another place than this',
  signature_bad: 'the signature does not verify, or what is signed is not of the expected form',
  key_unknown: 'signed by a key that is not in the key set, or not the one that the chain names',
  key_time: 'signed outside the validity of the key',
  self_asserted: 'signed by a key that the service made at its start, so nobody vouches for it',
  witness_mismatch: 'the witness has seen other records (fork)',
  witness_truncated: 'the witness has seen a checkpoint that is not here (cut off)',
  chain_missing: 'a chain is missing that others name',
  outcome_unmatched: 'an outcome without an allowed decision before it, or a second one',
  decision_repeated: 'a second decision for the same call',
  outcome_missing: 'an allowed call has no outcome, and the chain is closed',
  approval_reused: 'an approval was used a second time',
  approval_mismatch:
    'an approval was used by another caller, in another tenant, or for another request or rule, than it was given for',
  approval_self: 'an approval was given by who asked for it',
  approval_unmatched: 'an approval was used that nobody had given before',
  receipt_mismatch: 'the receipt names a record that is not there or says something else',
  receipt_path: 'the path of the receipt does not lead to the signed root',
  digest_mismatch: 'what was disclosed does not give the digest',
  lost_records: 'records were lost in a chain of mode strict, which refuses instead',
} as const

export type Code = keyof typeof CODES

/** The first fault, and where it is. */
export interface Finding {
  code: Code
  /** What it is about, in words of ours and checked forms only; the sentence of the code stands before it. */
  detail?: string
  chain?: string
  seq?: number
  file?: string
  line?: number
}

export const finding = (code: Code, detail?: string): Finding =>
  detail === undefined ? { code } : { code, detail }
