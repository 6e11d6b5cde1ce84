// Preloaded into the service by warm.ts: when it ends, writes what V8 made of each script of the bundle, with the functions that ran by then.
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import vm from 'node:vm'

const scripts = new Map<string, vm.Script>()

vm.Script = class extends vm.Script {
  constructor(source: string, options: vm.ScriptOptions) {
    super(source, options)
    scripts.set(basename(options.filename ?? '', '.js'), this)
  }
}

process.once('exit', () => {
  for (const [name, script] of scripts)
    writeFileSync(join(process.env['CODE_CACHE'] ?? '', name), script.createCachedData())
})
