// The settings of the guards where no rule says anything.
import { guardsSection } from '../../../src/admission/guards/config.ts'
import { compileGuards } from '../../../src/admission/guards/rules.ts'
import type { GuardRule, PathGuard, UrlGuard } from '../../../src/core/guards.ts'

/** The settings of the first rule of a section; of the built-in one where there is none. */
export function settingsOf(section: object = {}): { path: PathGuard; url: UrlGuard } {
  const { path, url } = compileGuards(guardsSection.parse(section))
  const first = <Settings>(list: readonly GuardRule<Settings>[]): Settings =>
    (list[0] as GuardRule<Settings>).settings
  return { path: first(path), url: first(url) }
}
