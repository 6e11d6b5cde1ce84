// What a text that only reads may call, cast to and compare with: names that mean nothing but a computation in every dialect that has them.

const set = (names: string): ReadonlySet<string> => new Set(names.trim().split(/\s+/))

// Unknown is unproven: lists of what is forbidden failed on every corpus, because a database has own functions. What tells of the server (version,
// user, settings), keeps state (nextval, get_lock) or runs a text (query_to_xml) is absent on purpose.
export const PURE_FUNCTIONS = set(`
  count sum avg min max total stddev stddev_pop stddev_samp std variance var_pop var_samp var stdev stdevp varp median mode
  bool_and bool_or every some bit_and bit_or bit_xor any_value approx_count_distinct count_big corr covar_pop covar_samp
  regr_slope regr_intercept regr_r2 regr_count percentile_cont percentile_disc approx_percentile
  array_agg string_agg group_concat listagg json_agg jsonb_agg json_object_agg jsonb_object_agg json_arrayagg json_objectagg
  json_group_array json_group_object xmlagg grouping grouping_id
  row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
  abs sign ceil ceiling floor round trunc truncate mod power pow sqrt cbrt exp ln log log10 log2 pi degrees radians
  sin cos tan asin acos atan atan2 cot sinh cosh tanh square div gcd lcm width_bucket random rand greatest least
  factorial scale min_scale trim_scale
  lower upper lcase ucase initcap length char_length character_length octet_length bit_length len datalength
  trim ltrim rtrim btrim lpad rpad left right substr substring substring_index mid position locate instr charindex strpos
  replace translate overlay reverse split_part concat concat_ws format printf ascii chr char unicode unistr nchar
  quote_literal quote_ident quote_nullable quote starts_with ends_with regexp_replace regexp_match regexp_matches
  regexp_substr regexp_instr regexp_like regexp_count regexp_split_to_array regexp_split_to_table string_to_array
  string_to_table array_to_string patindex stuff find_in_set field elt soundex difference levenshtein similarity
  word_similarity unaccent metaphone dmetaphone like glob normalize to_hex hex unhex bin oct md5 sha1 sha2 sha224 sha256 sha384
  sha512 crc32 to_base64 from_base64 encode decode strcmp parse_ident
  coalesce nullif ifnull isnull nvl nvl2 iif if choose num_nulls num_nonnulls
  cast convert try_cast try_convert to_char to_number to_date to_timestamp typeof pg_typeof
  now current_date current_time current_timestamp localtime localtimestamp clock_timestamp statement_timestamp
  transaction_timestamp getdate getutcdate sysdatetime sysutcdatetime curdate curtime utc_date utc_time utc_timestamp sysdate
  date time datetime timestamp timezone year quarter month week day dayofmonth dayofweek dayofyear weekday weekofyear yearweek
  hour minute second microsecond monthname dayname last_day eomonth makedate maketime make_date make_time make_timestamp
  make_timestamptz make_interval date_part date_trunc date_bin datetrunc datepart datename extract age justify_days
  justify_hours justify_interval isfinite date_add date_sub adddate subdate addtime subtime dateadd datediff datediff_big
  timediff timestampdiff timestampadd period_add period_diff date_format time_format str_to_date from_unixtime unix_timestamp
  unixepoch julianday strftime to_days from_days to_seconds sec_to_time time_to_sec convert_tz datefromparts
  datetimefromparts switchoffset todatetimeoffset add_months months_between next_day
  json jsonb json_extract jsonb_extract json_value json_query json_exists json_array json_object json_build_object
  jsonb_build_object json_build_array jsonb_build_array json_array_length jsonb_array_length json_array_elements
  jsonb_array_elements json_array_elements_text jsonb_array_elements_text json_each jsonb_each json_each_text jsonb_each_text
  json_object_keys jsonb_object_keys json_extract_path json_extract_path_text jsonb_extract_path jsonb_extract_path_text
  json_typeof jsonb_typeof json_type json_valid json_unquote json_quote json_keys json_length json_depth json_contains
  json_contains_path json_search json_overlaps json_tree json_pretty jsonb_pretty json_strip_nulls jsonb_strip_nulls
  json_set jsonb_set jsonb_insert json_insert json_replace json_remove json_patch json_merge_patch json_merge_preserve
  json_array_append jsonb_path_query jsonb_path_query_array jsonb_path_query_first jsonb_path_exists jsonb_path_match
  to_json to_jsonb row_to_json array_to_json isjson json_modify json_to_recordset jsonb_to_recordset json_to_record
  jsonb_to_record
  array_length array_lower array_upper array_ndims array_position array_positions array_append array_prepend array_cat
  array_remove array_replace array_dims cardinality unnest generate_series generate_subscripts
  to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_rank ts_rank_cd ts_headline setweight strip
  numnode querytree tsvector_to_array
  lower_inc upper_inc lower_inf upper_inf isempty range_merge int4range int8range numrange tsrange tstzrange daterange
  host masklen network broadcast family text abbrev
  uuid_generate_v4 gen_random_uuid uuid newid
  overlaps notlike like_escape similar_to_escape
  st_distance st_distance_sphere st_dwithin st_x st_y st_astext st_asgeojson st_geomfromtext st_point st_makepoint st_contains
  st_within st_intersects st_area st_length st_setsrid st_srid st_buffer st_centroid st_envelope st_transform
  cosine_distance l2_distance inner_product vector_dims vector_norm
`)

export const PURE_TYPES = set(`
  bool boolean int int2 int4 int8 integer smallint bigint tinyint mediumint signed unsigned numeric decimal dec number money
  float float4 float8 real double
  text varchar char bpchar character string nvarchar nchar clob citext name
  bytea binary varbinary blob bit varbit
  date time timetz timestamp timestamptz datetime datetime2 smalldatetime datetimeoffset interval year
  json jsonb uuid uniqueidentifier inet cidr macaddr
  point line lseg box path polygon circle geometry geography vector halfvec
  int4range int8range numrange tsrange tstzrange daterange tsvector tsquery
`)

// As the grammar names them: LIKE is ~~, IN and BETWEEN come as what they are.
export const PURE_OPERATORS = set(`
  = <> != < > <= >= <=> + - * / % ^ | & << >> || && ~ ~* !~ !~* ~~ ~~* !~~ !~~* ~= ^@
  -> ->> #> #>> #- @> <@ ? ?| ?& @? @@ -|- &< &> |/ ||/ <-> <#> <+> <% %> <<% %>>
  BETWEEN IN
`)
