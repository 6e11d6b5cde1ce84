// Which hosts are this machine itself: what goes to them in plain text does not leave it (RFC 6890 2.2.2).

const IPV4 = /^127(?:\.(?:\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){3}$/

/** `host` as a URL or an address has it, in lower case; an IPv6 address with or without its brackets. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || host === '[::1]' || IPV4.test(host)
