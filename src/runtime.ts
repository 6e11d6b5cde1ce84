// Compiles what the files of live/ say into the Runtime that calls keep; a bad file keeps the last good one and says so (design.md 5).
import { isKnown, type Kill, type Names, readableKills } from './admission/kill/index.ts'
import { compileLimits } from './admission/limits/index.ts'
import { compilePolicy, loadConditionsFor, localPolicy } from './admission/policy/index.ts'
import {
  type FileChange,
  type FileWatcher,
  LIVE_FILES,
  type LiveFile,
  type LiveValue,
  loadLiveParser,
  type Problem,
} from './config/index.ts'
import type { LimitRules, Runtime } from './core/runtime.ts'
import { compileKeys } from './identity/apikey/index.ts'
import { type Revocation, readableRevocations } from './identity/revocations/index.ts'
import { compileScan, loadPatternEngine } from './response/scan/index.ts'

export interface LiveOptions {
  /** The folder; undefined = there is none, and the defaults hold. */
  directory: string | undefined
  watcher: FileWatcher
  /** False: the built-in policy `local` holds as long as no policy file has been seen. */
  authenticated: boolean
  /** False: credential ids mean nothing after a restart, so a rule that names one is an error. */
  stableCredentialIds: boolean
  operations: Parameters<typeof compilePolicy>[1]['operations']
  revocations: {
    setLive(entries: readonly Revocation[]): void
    addLive(entries: readonly Revocation[]): void
  }
  kill: {
    setLive(entries: readonly Kill[]): void
    addLive(entries: readonly Kill[]): void
  }
  /** Told after each file that was taken or refused. */
  onApplied(file: LiveFile, digest: string): void
  /** `digest` of the bytes that were refused; undefined where the file is gone. */
  onRefused(file: LiveFile, problems: readonly Problem[], digest: string | undefined): void
  /** Milliseconds since the epoch. */
  now(): number
  /** What holds without live/limits.yaml. */
  limits: LimitRules
}

export interface Live {
  current(): Runtime
  /** Files that were bad at the first look and have not been good since: the service is not ready. */
  notReady(): readonly string[]
  /** Files whose newest state is not the one in force. */
  stale(): readonly string[]
  /** Seconds since what a file says is not what is in force; 0 where it is. */
  ages(): readonly { file: LiveFile; seconds: number }[]
}

interface State {
  /** Since when the file has not been what is in force, in milliseconds; undefined = it is. */
  staleSince: number | undefined
  everGood: boolean
}

/** What is wrong with a file that no line of it shows. */
type Fault = Pick<Problem, 'path' | 'message' | 'fix'>

const GONE: Fault = {
  path: '',
  message: 'the file is gone or cannot be read',
  fix: 'Put it back. To take everything away, write a valid file that holds nothing.',
}

/** Between emptying a file and writing it anew an editor leaves nothing in it, which as YAML would take every revocation away. */
const EMPTY: Fault = {
  path: '',
  message: 'the file is empty',
  fix: 'Write version: 1, and what it shall hold.',
}

/** The tools and modules of the operations. */
export function namesOf(operations: LiveOptions['operations']): Names {
  return {
    tools: new Set(operations.map(({ tool }) => tool)),
    modules: new Set(operations.flatMap(({ module }) => module ?? [])),
  }
}

export async function createLive(options: LiveOptions): Promise<Live> {
  const parseLive = options.directory === undefined ? undefined : await loadLiveParser()
  const known = new Set(
    options.operations.flatMap(({ tool, module, method }) => [tool, `${tool}:${module}.${method}`]),
  )
  const names = namesOf(options.operations)
  const states = new Map<LiveFile, State>()
  let runtime: Runtime = {
    policy: options.authenticated ? undefined : localPolicy(),
    apiKeys: compileKeys({ version: 1, keys: [] }),
    limits: options.limits,
  }

  /** Each file to the change of the runtime; what is wrong where it cannot be compiled. */
  const compile: {
    [File in LiveFile]: (value: LiveValue<File>, digest: string) => readonly Fault[]
  } = {
    'policy.yaml': (value, digest) => {
      const compiled = compilePolicy(value, { digest, now: options.now, operations: options.operations })
      if (!compiled.ok) return compiled.problems
      if (compiled.policy.credentialIds.length > 0 && !options.stableCredentialIds)
        return [
          {
            path: '',
            message: 'names a credential id, which a key made at boot gives another meaning after each start',
            fix: 'Set keys.fleet in config.yaml, and take the id from ductape-mcp key id.',
          },
        ]
      runtime = { ...runtime, policy: compiled.policy }
      return []
    },
    'keys.yaml': (value) => {
      runtime = { ...runtime, apiKeys: compileKeys(value) }
      return []
    },
    'limits.yaml': (value, digest) => {
      // A name that fits nothing would limit nothing.
      const unknown = Object.keys(value.tools).filter((name) => !known.has(name))
      if (unknown.length > 0)
        return unknown.map((name) => ({
          path: `tools[${JSON.stringify(name)}]`,
          message: 'is neither a tool of this service nor one with an operation of the catalogue',
          fix: 'Write "ductape_execute", or "ductape_execute:databases.query".',
        }))
      runtime = { ...runtime, limits: compileLimits(value, digest) }
      return []
    },
    'revocations.yaml': (value) => {
      options.revocations.setLive(value.revocations)
      return []
    },
    'kill.yaml': ({ kill }) => {
      const faults = kill.flatMap((entry, index): Fault[] =>
        isKnown(entry, names)
          ? []
          : [
              {
                path: `kill[${index}].value`,
                message: `is no ${entry.kind} of this service`,
                fix: 'Write a name as records show it: ductape_execute is a tool, databases a module.',
              },
            ],
      )
      if (faults.length === 0) options.kill.setLive(kill)
      else options.kill.addLive(kill)
      return faults
    },
    'scan.yaml': (value) => {
      const compiled = compileScan(value)
      if (!compiled.ok) return compiled.faults
      runtime = { ...runtime, scan: compiled.rules }
      return []
    },
  }

  const take = async <File extends LiveFile>(file: File, change: FileChange): Promise<readonly Problem[]> => {
    const source = `live/${file}`
    const placed = (faults: readonly Fault[]): readonly Problem[] =>
      faults.map((fault) => ({ source, line: 0, column: 0, ...fault }))
    if (change.bytes === undefined || parseLive === undefined) return placed([GONE])
    if (change.bytes.length === 0) return placed([EMPTY])
    const text = change.bytes.toString('utf8')
    if (file === 'policy.yaml') await loadConditionsFor(text)
    if (file === 'scan.yaml') await loadPatternEngine()
    const parsed = parseLive(file, text, source)
    if (!parsed.ok) {
      // What can be read of them still counts: a slip in one line must not let a revoked credential back in.
      if (file === 'revocations.yaml') options.revocations.addLive(readableRevocations(parsed.unchecked))
      if (file === 'kill.yaml') options.kill.addLive(readableKills(parsed.unchecked))
      return parsed.problems
    }
    return placed(compile[file](parsed.value, change.digest))
  }

  for (const file of LIVE_FILES) {
    states.set(file, { staleSince: undefined, everGood: false })
    if (options.directory === undefined) continue
    options.watcher.watch(`${options.directory}/${file}`, async (change) => {
      const state = states.get(file) as State
      const problems = await take(file, change)
      if (problems.length === 0) {
        state.staleSince = undefined
        state.everGood = true
        options.onApplied(file, change.digest)
        return
      }
      // Without a good one there is nothing to keep: a bad policy is no policy, not the built-in one.
      if (file === 'policy.yaml' && !state.everGood) runtime = { ...runtime, policy: undefined }
      state.staleSince ??= options.now()
      options.onRefused(file, problems, change.bytes === undefined ? undefined : change.digest)
    })
  }

  const staleFiles = (): LiveFile[] => LIVE_FILES.filter((file) => states.get(file)?.staleSince !== undefined)

  return {
    current: () => runtime,
    notReady: () =>
      staleFiles()
        .filter((file) => states.get(file)?.everGood === false)
        .map((file) => `live/${file} is not valid`),
    stale: () => staleFiles().map((file) => `live/${file} is not valid; the last good one holds`),
    ages: () =>
      LIVE_FILES.map((file) => {
        const since = states.get(file)?.staleSince
        return { file, seconds: since === undefined ? 0 : Math.max(0, options.now() - since) / 1000 }
      }),
  }
}
