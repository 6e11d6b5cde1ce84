// What a Cypher text that only reads may begin with and call, and the words that no such text holds.

const set = (words: string): ReadonlySet<string> => new Set(words.trim().split(/\s+/))

/** Clauses that a text may begin with; EXPLAIN and PROFILE may stand before them. */
export const OPENINGS = set('match optional unwind with return call')
export const PREFIXES = set('explain profile')

/** Words of clauses that write, define, choose another graph or commit: refused wherever they are not plainly a name. */
export const WRITING_WORDS = set(`
  create merge set delete detach nodetach remove foreach drop insert use transactions periodic
  update upsert
`)

/** Behind LOAD: a file or a URL that the server reads. */
export const LOADED = set('csv parquet jsonl')

/** Keywords that a bracket may follow, so that they are no functions. */
export const BEFORE_BRACKET = set(`
  match optional where and or xor not in return with unwind distinct then else when case as by skip limit on is on asc desc
  contains starts ends call yield union all any none single exists shortestpath allshortestpaths filter let shortest
  groups paths path walk trail acyclic scan seek
`)

/** Functions that compute from their arguments or read what a pattern has found. */
export const PURE_FUNCTIONS = set(`
  all any none single exists isempty reduce
  coalesce elementid endnode startnode head last id length size type properties timestamp nullif valuetype
  labels keys nodes relationships range tail reverse char_length character_length
  count collect sum avg min max percentilecont percentiledisc stdev stdevp
  abs ceil ceiling floor round sign rand isnan exp log log10 ln sqrt pi e sin cos tan cot asin acos atan atan2 degrees radians
  haversin power mod
  left right ltrim rtrim btrim trim replace split substring tolower toupper lower upper tostring tostringornull
  tostringlist normalize
  tointeger tointegerornull tointegerlist tofloat tofloatornull tofloatlist toboolean tobooleanornull tobooleanlist
  randomuuid
  date datetime localdatetime localtime time duration
  date.truncate datetime.truncate localdatetime.truncate localtime.truncate time.truncate
  date.transaction date.statement date.realtime datetime.transaction datetime.statement datetime.realtime
  datetime.fromepoch datetime.fromepochmillis duration.between duration.inmonths duration.indays duration.inseconds
  point distance point.distance point.withinbbox
  vector vector.similarity.cosine vector.similarity.euclidean vector_distance vector_norm
  shortestpath allshortestpaths
`)

/** Procedures of the database that only read: its schema and its indexes. */
export const PROCEDURES = set(`
  db.labels db.relationshiptypes db.propertykeys
  db.schema.visualization db.schema.nodetypeproperties db.schema.reltypeproperties
  db.index.fulltext.querynodes db.index.fulltext.queryrelationships
  db.index.vector.querynodes db.index.vector.queryrelationships
`)

export const OPERATOR_WORDS = set('and or xor not in is contains starts ends')
