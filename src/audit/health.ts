// How the evidence is doing: for probes, for the operator's warnings and for the metrics.
import type { Chain, ChainStats } from './chain.ts'
import type { SigningKeys } from './keys.ts'
import type { OcsfFile } from './ocsf-file.ts'
import type { Witness } from './witness.ts'
import type { SinkWriter } from './writer.ts'

export interface HealthParts {
  records: SinkWriter
  chain: Pick<Chain, 'mode' | 'stats'>
  signingKeys: SigningKeys
  witness: Pick<Witness, 'stats'> | undefined
  ocsf: Pick<OcsfFile, 'stats'> | undefined
}

export interface Health {
  notReady(): readonly string[]
  warnings(): readonly string[]
  stats(): ReturnType<SinkWriter['stats']> & {
    failing: boolean
    chain: ChainStats
    witnessFailures: number
    ocsfLost: number
  }
}

export function createHealth({ records, chain, signingKeys, witness, ocsf }: HealthParts): Health {
  const broken = (): string | undefined => {
    const fault = records.fault()
    return fault === undefined ? undefined : `the audit records cannot be written (${fault})`
  }
  const given = (...texts: readonly (string | undefined)[]): readonly string[] =>
    texts.filter((text) => text !== undefined)

  return {
    notReady() {
      if (chain.mode !== 'strict') return []
      // After a fault the first bytes are taken long before there is room for more.
      const text = broken() ?? (records.hasRoom() ? undefined : 'too many audit records wait for their sink')
      return given(text === undefined ? undefined : `${text}, and audit.mode is strict`)
    },
    warnings: () =>
      given(
        broken(),
        witness?.stats().failing === undefined
          ? undefined
          : 'the witness of the audit records takes no checkpoints',
        ocsf?.stats().failing === true ? 'the events of OCSF cannot be written' : undefined,
        signingKeys.warning(),
      ),
    stats: () => ({
      ...records.stats(),
      failing: records.fault() !== undefined,
      chain: chain.stats(),
      witnessFailures: witness?.stats().failures ?? 0,
      ocsfLost: ocsf?.stats().lost ?? 0,
    }),
  }
}
