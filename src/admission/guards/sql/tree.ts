// Judges the tree of one statement: read-only where it is a query that holds nothing but what is listed here.
import type { TextVerdict } from '../verdict.ts'
import { PURE_FUNCTIONS, PURE_OPERATORS, PURE_TYPES } from './functions.ts'
import { isTree, listOf, namesOf, node, type Tree } from './parser.ts'
import { hasStranger } from './scope.ts'
import { STATEMENT_WORDS } from './words.ts'

const set = (names: string): ReadonlySet<string> => new Set(names.trim().split(/\s+/))

/** Nodes that only compute or read. */
const NODES = set(`
  SelectStmt ResTarget ColumnRef A_Star A_Const A_Expr BoolExpr NullTest BooleanTest ParamRef FuncCall NamedArgExpr
  SQLValueFunction TypeCast CollateClause CaseExpr CaseWhen CoalesceExpr MinMaxExpr A_ArrayExpr RowExpr A_Indirection A_Indices
  SubLink RangeVar RangeSubselect RangeFunction JoinExpr SortBy GroupingFunc GroupingSet WindowDef CommonTableExpr ColumnDef
  List String Integer Float Boolean
  JsonObjectConstructor JsonArrayConstructor JsonArrayQueryConstructor JsonObjectAgg JsonArrayAgg JsonKeyValue JsonValueExpr
  JsonFuncExpr JsonIsPredicate JsonParseExpr JsonScalarExpr JsonSerializeExpr
`)

/** Members whose node comes without a name of its own. */
const MEMBERS = set(`
  alias arg boolval bsval constructor context_item expr format fval ival larg output over rarg returning sval typeName value
  withClause on_empty on_error
`)

const CHANGES = set('InsertStmt UpdateStmt DeleteStmt MergeStmt')
const EXPLAIN_OPTIONS = set('verbose costs format summary settings memory')
const CLOCKS = set(`
  SVFOP_CURRENT_DATE SVFOP_CURRENT_TIME SVFOP_CURRENT_TIME_N SVFOP_CURRENT_TIMESTAMP SVFOP_CURRENT_TIMESTAMP_N
  SVFOP_LOCALTIME SVFOP_LOCALTIME_N SVFOP_LOCALTIMESTAMP SVFOP_LOCALTIMESTAMP_N
`)
/** Schemas and tables of the server itself: passwords and other people's queries are there. */
const SYSTEM_SCHEMAS = set(
  'pg_catalog mysql sys performance_schema master msdb tempdb system system_auth sysibm sysibmadm syscat',
)
const SYSTEM_TABLE =
  /^(?:pg_|pragma_|sqlite_dbpage$|dbstat$|fsdir$|zipfile$|all_users$|dba_|v\$|gv\$|sys(?:users|logins|xlogins|processes)$)/
const TABLE_NAME = /^[\p{L}\p{M}\p{N}_$ -]+$/u
const SHOWN = /^[\w.]{1,64}$/

const READ: TextVerdict = { kind: 'read' }
const unproven = (reason: string): TextVerdict => ({ kind: 'unproven', reason })
const refused = (reason: string): TextVerdict => ({ kind: 'refused', reason })

/** `trailing`: the words that stand right behind an operand, as the lexer has seen them. */
export function judgeTree(statements: readonly Tree[], trailing: ReadonlySet<string>): TextVerdict {
  const [statement] = statements
  if (statement === undefined) return unproven('it holds no statement')
  if (statements.length > 1) return refused('it holds more than one statement')
  const explained = node(statement, 'ExplainStmt')
  if (explained !== undefined) {
    const options = listOf(explained['options']).map((option) => String(node(option, 'DefElem')?.['defname']))
    if (!options.every((option) => EXPLAIN_OPTIONS.has(option)))
      return unproven('EXPLAIN runs what it explains')
    return isTree(explained['query'])
      ? judgeStatement(explained['query'], trailing)
      : unproven('it explains nothing')
  }
  return judgeStatement(statement, trailing)
}

function judgeStatement(statement: Tree, trailing: ReadonlySet<string>): TextVerdict {
  const [kind = ''] = Object.keys(statement)
  if (kind === 'CopyStmt') return refused('it reaches files, plugins or the server itself')
  let doubt: string | undefined = kind === 'SelectStmt' ? undefined : 'it is no query'
  const stack: unknown[] = [statement]
  while (stack.length > 0) {
    const next = stack.pop()
    if (Array.isArray(next)) {
      stack.push(...next)
      continue
    }
    if (!isTree(next)) continue
    for (const [name, value] of Object.entries(next)) {
      if (!isTree(value)) continue
      if (/^[A-Z]/.test(name)) {
        const refusal = refusalOf(name, value)
        if (refusal !== undefined) return refused(refusal)
        doubt ??= NODES.has(name)
          ? doubtOf(name, value, trailing)
          : 'it holds what is not in the common subset'
      } else if (name === 'intoClause') return refused('a query writes its rows somewhere, with INTO')
      else if (!Array.isArray(value) && !Object.keys(value).every((key) => /^[A-Z]/.test(key)))
        doubt ??= MEMBERS.has(name)
          ? memberDoubt(name, value, trailing)
          : 'it holds what is not in the common subset'
      stack.push(value)
    }
  }
  if (doubt === undefined && hasStranger(statement))
    doubt = 'a column is of a table that the query does not name'
  return doubt === undefined ? READ : unproven(doubt)
}

/** What no rule allows, in whatever statement it stands. */
function refusalOf(tag: string, value: Tree): string | undefined {
  if (tag === 'LockingClause') return 'it locks what it reads'
  if (tag === 'CommonTableExpr' && isTree(value['ctequery']))
    return CHANGES.has(Object.keys(value['ctequery'])[0] ?? '') ? 'a WITH query changes data' : undefined
  if (tag === 'BoolExpr' && value['boolop'] === 'OR_EXPR' && listOf(value['args']).some(holdsConstant))
    return 'an OR holds a condition that does not depend on any row'
  return undefined
}

function doubtOf(tag: string, value: Tree, trailing: ReadonlySet<string>): string | undefined {
  switch (tag) {
    case 'FuncCall':
      return functionDoubt(value)
    case 'A_Expr':
      return operatorDoubt(value['name'])
    case 'SortBy':
      return value['useOp'] === undefined ? undefined : operatorDoubt(value['useOp'])
    case 'SubLink':
      return value['operName'] === undefined ? undefined : operatorDoubt(value['operName'])
    case 'SQLValueFunction':
      return CLOCKS.has(String(value['op'])) ? undefined : 'it asks who is connected'
    case 'RangeVar':
      return tableDoubt(value)
    case 'ResTarget':
      return aliasDoubt(value['name'], trailing)
    case 'ColumnRef':
      // Oracle: reading this column moves the sequence on.
      return /^(?:nextval|currval)$/i.test(namesOf(value['fields']).at(-1) ?? '')
        ? 'it reads a sequence'
        : undefined
    default:
      return undefined
  }
}

const memberDoubt = (name: string, value: Tree, trailing: ReadonlySet<string>): string | undefined => {
  if (name === 'alias') return aliasDoubt(value['aliasname'], trailing)
  if (name !== 'typeName') return undefined
  return isListed(value['names'], PURE_TYPES) && value['setof'] !== true && value['pct_type'] !== true
    ? undefined
    : 'it casts to a type that is not in the list'
}

/** The name alone, or of the system schema of PostgreSQL, to which the grammar itself resolves EXTRACT, TRIM and the like. */
function isListed(list: unknown, names: ReadonlySet<string>): boolean {
  const [first = '', second, third] = namesOf(list)
  if (third !== undefined) return false
  return second === undefined ? names.has(first) : first === 'pg_catalog' && names.has(second)
}

function functionDoubt(value: Tree): string | undefined {
  if (isListed(value['funcname'], PURE_FUNCTIONS)) return undefined
  const name = namesOf(value['funcname']).join('.')
  return SHOWN.test(name)
    ? `it calls ${name}(), which is not in the list of functions that only compute`
    : 'it calls a function that is not in the list of those that only compute'
}

const operatorDoubt = (name: unknown): string | undefined => {
  const [kind = ''] = namesOf(name)
  const word = /^(?:NOT )?BETWEEN(?: SYMMETRIC)?$/.test(kind)
  return word || isListed(name, PURE_OPERATORS) ? undefined : 'it uses an operator that is not in the list'
}

function tableDoubt(value: Tree): string | undefined {
  const schema = String(value['schemaname'] ?? '').toLowerCase()
  const table = String(value['relname'] ?? '').toLowerCase()
  if (SYSTEM_SCHEMAS.has(schema) || SYSTEM_TABLE.test(table)) return 'it reads a table of the server itself'
  // DuckDB and its like open a file of that name.
  if (!TABLE_NAME.test(table)) return 'the name of a table looks like that of a file'
  // A list behind a table is a hint to SQL Server, which can lock; behind EXEC it would even run a text.
  const alias = isTree(value['alias']) ? value['alias'] : undefined
  return alias?.['colnames'] === undefined ? undefined : 'a list of columns stands behind a table'
}

/** SQL Server needs no semicolon: `SELECT 1 SHUTDOWN` is a query with an alias to everybody else. Behind AS it is one there too. */
const aliasDoubt = (name: unknown, trailing: ReadonlySet<string>): string | undefined =>
  typeof name === 'string' && trailing.has(name.toLowerCase()) && STATEMENT_WORDS.has(name.toLowerCase())
    ? 'an alias is the name of a statement'
    : undefined

const VARIES = set('ColumnRef ParamRef SubLink FuncCall SQLValueFunction A_Star')

/** Itself, or one of what AND joins: in `a OR 1=1 AND b` the quotes of `b` were somebody else's. */
const holdsConstant = (condition: unknown): boolean => {
  const and = node(condition, 'BoolExpr')
  return (
    isConstant(condition) ||
    (and !== undefined && and['boolop'] === 'AND_EXPR' && listOf(and['args']).some(isConstant))
  )
}

/** True whatever the rows are: how an injected condition makes all of them match. */
function isConstant(condition: unknown): boolean {
  const stack: unknown[] = [condition]
  while (stack.length > 0) {
    const next = stack.pop()
    if (!isTree(next)) continue
    for (const [name, value] of Object.entries(next)) {
      if (VARIES.has(name)) return false
      stack.push(value)
    }
  }
  return true
}
