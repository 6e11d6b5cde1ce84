// The config section `outbound`: the way out of the network, for every outbound connection.
import * as z from 'zod'
import { proxyUrl } from './fields.ts'

export const outboundSection = z.strictObject({
  proxy: proxyUrl().optional().describe('Egress proxy that every outbound connection goes through'),
})
