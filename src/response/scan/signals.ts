// Signals, never proof: words that address a model, and links that could carry data away when a client shows them.
import { entropy, type Rule, sticky } from './rule.ts'

const S = '\\s{1,4}'

const instruction = (
  id: string,
  triggers: readonly string[],
  source: string,
  more: Pick<Rule, 'anyCase' | 'quiet'> = { anyCase: true },
): Rule => ({
  detector: 'instruction',
  id,
  triggers,
  find: sticky(source, more.anyCase ? 'i' : ''),
  ...more,
})

export const INSTRUCTIONS: readonly Rule[] = [
  instruction(
    'role-tag',
    [
      '<|im_start|>',
      '<|im_end|>',
      '<|system|>',
      '<|assistant|>',
      '<|user|>',
      '<|start_header_id|>',
      '<|eot_id|>',
      '[/INST]',
      '[INST]',
      '<<SYS>>',
      '<</SYS>>',
      '<start_of_turn>',
    ],
    '(?:<\\|(?:im_start|im_end|system|assistant|user|start_header_id|eot_id)\\|>|\\[/?INST\\]|<</?SYS>>|<start_of_turn>)',
    {},
  ),
  instruction(
    'important-tag',
    ['<IMPORTANT>', '<SYSTEM>', '<system>', '<system_prompt>', '<system-prompt>'],
    '<(?:IMPORTANT|SYSTEM|system|system[_-]prompt)>',
    {},
  ),
  instruction(
    'ignore-previous',
    ['ignore ', 'disregard ', 'forget ', 'override '],
    `(?<![\\w-])(?:ignore|disregard|forget|override)${S}(?:(?:all|any|everything|of|in|the|your|my|these|those|its)${S}){0,4}(?:previous|prior|above|earlier|preceding|foregoing|existing|initial|original|system)${S}(?:\\w{1,16}${S})?(?:instructions?|prompts?|directions|directives|guidelines|commands|context)(?!\\w)`,
  ),
  instruction(
    'conceal',
    ['do not ', "don't ", 'never ', 'without '],
    `(?<![\\w-])(?:(?:do not|don't|never)${S}(?:tell|inform|mention|reveal|alert|notify|show)${S}(?:(?:this|it|that|anything|of|to|about)${S}){0,3}|without${S}(?:telling|informing|notifying|alerting|asking)${S})(?:the${S})?(?:user|human|person|operator)(?!\\w)`,
  ),
  instruction(
    'new-role',
    ['you are now ', 'from now on', 'pretend to be', 'act as if you'],
    `(?<![\\w-])(?:(?:you are now|pretend to be|act as if you are)${S}(?:(?:in|an?|the)${S})?(?:developer mode|dan|jailbroken|unrestricted|uncensored|evil|(?:different|new|another)${S}(?:ai|assistant|model))|from now on,?${S}you (?:are|will|must)${S}(?:an?|only|always|never|obey|ignore))(?!\\w)`,
  ),
  instruction(
    'reveal-prompt',
    ['reveal ', 'print ', 'repeat ', 'output ', 'show ', 'leak '],
    `(?<![\\w-])(?:reveal|print|repeat|output|show|leak)${S}(?:(?:me|us|out|back)${S})?(?:your|the)${S}(?:(?:full|entire|exact|hidden|whole)${S})?(?:system|initial|hidden|secret)${S}(?:prompt|instructions|message)(?!\\w)`,
  ),
  instruction(
    'send-data',
    ['send ', 'post ', 'upload ', 'exfiltrate ', 'forward '],
    `(?<![\\w-])(?:send|post|upload|exfiltrate|forward)${S}(?:(?:all|any|the|your|user's|users'|these|this|of)${S}){1,4}(?:conversation|chat history|chat|credentials|api keys?|passwords?|secrets|environment variables|tokens)${S}(?:\\w{1,16}${S}){0,3}to${S}(?:https?://|\\S{1,64}@)`,
  ),
]

const URL_TEXT = 'https?://[^\\s()<>"\'\\\\]{1,2000}'
/** Longer values than this are no names, versions or words. */
const LONG_VALUE = 48
const CODED = /^[\w+/=-]{32,}$/
const PLACEHOLDER = /\{\{|\$\{|%7b%7b|\{[a-z_]{2,32}\}|\[[A-Z_]{3,32}\]|<[A-Z_]{3,32}>/i

/** True where an address could carry what a model has read: a placeholder, a coded value, or a host name that is one. */
export function carriesData(address: string): boolean {
  const url = URL.parse(address)
  if (url === null) return false
  if (url.hostname.split('.').some((label) => label.length >= 40)) return true
  if (PLACEHOLDER.test(url.search + url.hash)) return true
  for (const [name, value] of url.searchParams) {
    // A picture inside of the address, as badges have them.
    if (value.startsWith('data:image/')) continue
    if (CODED.test(value) && entropy(value) > 3.5) return true
    if (value.length + name.length > LONG_VALUE * 4) return true
  }
  return false
}

/** `allowed` tells whether the host is one of the operator's. */
export function linkRules(allowed: (host: string) => boolean): readonly Rule[] {
  const leaves = (address: string): boolean =>
    carriesData(address) && !allowed(URL.parse(address)?.hostname ?? '')
  return [
    {
      detector: 'link',
      id: 'image',
      triggers: ['!['],
      find: sticky(`!\\[[^\\]\\n"!]{0,200}\\]\\(\\s{0,2}<?(${URL_TEXT})`, '', leaves),
    },
    {
      detector: 'link',
      id: 'html-image',
      triggers: ['src="http', "src='http"],
      anyCase: true,
      find: sticky(`src=["'](${URL_TEXT})`, 'i', leaves),
    },
    {
      detector: 'link',
      id: 'link',
      triggers: ['](http'],
      find: sticky(`\\]\\((${URL_TEXT})`, '', leaves),
    },
    {
      detector: 'link',
      id: 'script',
      triggers: ['javascript:', 'vbscript:'],
      anyCase: true,
      find: sticky(
        '(?<=\\]\\(\\s{0,2}<?|(?:href|src)=["\']?)((?:javascript|vbscript):(?!void|;|//|[\\s"\')])[^\\s()<>"\'\\\\]{1,500})',
        'i',
      ),
    },
    {
      detector: 'link',
      id: 'data',
      triggers: ['data:text/html', 'data:text/javascript', 'data:application/', 'data:image/svg+xml'],
      anyCase: true,
      find: sticky(
        '(?<=\\]\\(\\s{0,2}<?|href=["\']?)(data:(?:text|application|image)/[\\w+.-]{1,40}[;,][^\\s()<>"\'\\\\]{1,2000})',
        'i',
      ),
    },
  ]
}
