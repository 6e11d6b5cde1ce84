// Writes test/audit/vectors: chains and receipts, good ones and at least one for each code of docs/reference/evidence.md, for every verifier to read.
import { badApprovalVectors, goodApprovalVectors } from '../../test/audit/lib/approvals.ts'
import { badRecordVectors } from '../../test/audit/lib/bad-records.ts'
import { badSignatureVectors } from '../../test/audit/lib/bad-signatures.ts'
import { badWholeVectors } from '../../test/audit/lib/bad-wholes.ts'
import { goodVectors } from '../../test/audit/lib/good.ts'
import { receiptVectors } from '../../test/audit/lib/receipts.ts'
import type { ReceiptVector, Vector } from '../../test/audit/lib/vector.ts'

const jsonl = (vectors: readonly (Vector | ReceiptVector)[]): string =>
  vectors.map((vector) => `${JSON.stringify(vector)}\n`).join('')

/** One vector a line. */
export const VECTOR_FILES: Readonly<Record<string, () => string>> = {
  'test/audit/vectors/records.jsonl': () =>
    jsonl([
      ...goodVectors(),
      ...goodApprovalVectors(),
      ...badRecordVectors(),
      ...badWholeVectors(),
      ...badSignatureVectors(),
      ...badApprovalVectors(),
    ]),
  'test/audit/vectors/receipts.jsonl': () => jsonl(receiptVectors()),
}
