// Name and version of this build, as clients, logs and metrics see them.
import manifest from '../../package.json' with { type: 'json' }

export const IDENTITY = { name: manifest.name, version: manifest.version }
