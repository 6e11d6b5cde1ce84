// Brings a URI into the form in which all spellings of the same target are equal (RFC 3986 6.2.2 and 6.2.3), without query and fragment.

const HTTP_URI = /^https?:\/\/[!-~]+$/i
const TRIPLET = /%[0-9a-f]{2}/gi
const UNRESERVED = /[A-Za-z0-9\-._~]/

/** Undefined where the text is no http or https URI, or names a user. */
export function normaliseUri(text: string): string | undefined {
  // The parser would take a backslash for a slash.
  if (!HTTP_URI.test(text) || text.includes('\\')) return undefined
  const url = URL.parse(text)
  if (url === null || url.username !== '' || url.password !== '') return undefined
  // The parser settles case, default port and dot segments, but leaves percent-encodings as they are.
  return `${url.origin}${url.pathname.replace(TRIPLET, normaliseTriplet)}`
}

function normaliseTriplet(triplet: string): string {
  const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16))
  return UNRESERVED.test(character) ? character : triplet.toUpperCase()
}
