// The words that the SQL lexer looks for: what opens a text, what no honest text holds, what ends a statement where no semicolon stands.

const set = (words: string): ReadonlySet<string> => new Set(words.trim().split(/\s+/))

/** A text that begins with one of these asks for rows; INTO, locks and a second statement have no place in it. */
export const QUERY_WORDS = set('select with values table explain')

/** Openings that reach files, programs, plugins or the server itself; a second word is named where the first alone says too little. */
export const SERVER_OPENINGS: ReadonlyMap<string, ReadonlySet<string> | undefined> = new Map([
  ['copy', undefined],
  ['attach', undefined],
  ['bulk', undefined],
  ['backup', undefined],
  ['restore', undefined],
  ['shutdown', undefined],
  ['reconfigure', undefined],
  ['install', undefined],
  ['handler', undefined],
  ['load', set('data xml')],
])

/** Functions that read or write files, run programs, open connections, load code or only wait. */
export const REFUSED_FUNCTIONS = set(`
  load_file load_extension readfile writefile edit fsdir zipfile
  pg_read_file pg_read_binary_file pg_ls_dir pg_stat_file pg_file_write pg_logdir_ls
  pg_ls_logdir pg_ls_waldir pg_ls_tmpdir pg_ls_archive_statusdir
  lo_import lo_export lo_create lo_from_bytea lo_put lo_get lo_unlink
  pg_sleep pg_sleep_for pg_sleep_until sleep benchmark
  dblink dblink_exec dblink_connect dblink_connect_u dblink_send_query dblink_open
  query_to_xml query_to_xmlschema table_to_xml database_to_xml cursor_to_xml
  sys_exec sys_eval sys_get sys_set lib_mysqludf_sys_info
  openrowset opendatasource openquery fn_get_audit_file fn_xe_file_target_read_file fn_trace_gettable
  httpuritype bfilename
  pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile pg_promote pg_switch_wal
`)

/** Procedures of SQL Server that reach the system; whole names or beginnings, because a game has columns like xp_gained. */
export const REFUSED_PROCEDURES =
  /^(?:xp_(?:availablemedia|cmdshell|create_subdir|delete_file|dirtree|enum|file|fixeddrives|loginconfig|makecab|msver|ntsec|reg|service|subdirs|terminate)|sp_(?:oa[a-z]|execute_external|makewebtask))/

/** Packages of Oracle: refused where one of their functions is called. */
export const REFUSED_PACKAGES = /^(?:utl|dbms)_\w/

/** Reserved words of SQL Server that begin a statement there, with no semicolon before them. */
export const STATEMENT_WORDS = set(`
  alter backup begin break bulk checkpoint close commit continue create dbcc deallocate declare delete deny disable
  drop dump enable end exec execute fetch get goto grant if insert kill load merge move open print raiserror readtext
  receive reconfigure restore return revert revoke rollback save select send set setuser shutdown throw truncate update
  updatetext use waitfor while with writetext
`)

/** Of these, the ones that nobody gives to a column or a table: in the middle of a query they are a second statement. */
export const STACKED_WORDS = set(`
  alter backup bulk create dbcc declare delete drop exec execute grant insert kill merge restore revoke select shutdown
  truncate update waitfor
`)

/** What a CTE may be followed by: the statement itself. */
export const MAIN_WORDS = set('select insert update delete merge values table')

/** Reserved in every dialect, SQL Server included, where they come before an operand: what follows them begins no statement. */
export const RESERVED = set(`
  select distinct all where and or not in any some like between by on having when then else case from join as values is set escape
  fetch top
`)

/** Words after which an operand is still to come: a `?` or `@x` behind them is a placeholder, behind all others an operator. */
export const BEFORE_OPERAND: ReadonlySet<string> = new Set([
  ...RESERVED,
  ...set('ilike rlike regexp using limit offset return returning interval to only first next with within'),
])

/** Operators that are words, for the count of operators. */
export const OPERATOR_WORDS = set('and or not like ilike in is between similar xor div mod regexp rlike')
