// Features (workflows): definitions and dispatch; steps are not run here (contract 10.17).

import { definitions } from '../collection.ts'
import type { Handlers } from '../state.ts'
import { dispatch } from './dispatch.ts'

export const handlers: Handlers = {
  ...definitions({ kind: 'features', what: 'feature' }),
  dispatch: dispatch('features', 'feature', 'feature', 'workflow', 'tag'),
}
