// All Cypher queries that only read.
import { BUSINESS } from './corpus/benign-business.ts'
import { SERVICES } from './corpus/benign-services.ts'
import { TECHNICAL } from './corpus/benign-technical.ts'

export const BENIGN: readonly string[] = [...BUSINESS, ...TECHNICAL, ...SERVICES]
