-- Changes a ledger and its bucket's feed together, if the ledger's version is
-- still the one that was decided on. See the package comment for the keys.
--
-- KEYS  the ledger, the feed
-- ARGV  1 the change's id, 2 the version it was decided on ("": unknown user),
--       3 its time, 4 when the sessions were revoked as a whole ("": as before),
--       5 when the ledger expires ("": it is forgotten), 6 revocations ("": none),
--       7 when the last of these is over, 8 whether a WAIT follows ("1": yes),
--       9 when a spent refresh token came back ("": as before), 10 the last sign-ins,
--       packed ("": as before, "-": none), 11 how many values follow that are set, then
--       these, each after its name, then the names that are removed. Times are in Unix
--       milliseconds.
--
-- Returns 1, or the ledger that stands.

local ledger, feed = KEYS[1], KEYS[2]
local id = ARGV[1]
-- WAIT is for the last write of its own connection, so that there has to be one
-- whenever the answer is 1.
local waits = ARGV[8] == '1'

local stands = redis.call('GET', ledger) or ''
local version = string.sub(stands, 1, 16)
if version == id then -- it was sent again
	if waits then
		redis.call('PEXPIREAT', ledger, ARGV[5]) -- as it is already
	end
	return 1
end
if version ~= ARGV[2] then
	return stands
end

-- Writes the ledger. It comes after the feed: of a revocation that is published alone,
-- as by a user who may do no more, too much is refused and not too little.
local function write()
	if ARGV[5] == '' then
		if redis.call('DEL', ledger) == 0 and waits then
			redis.call('SET', ledger, '')
			redis.call('DEL', ledger)
		end
	else
		local values, at = {}, 17
		local header = string.match(stands, '^([^\n]*)\n', at)
		if header then
			at = at + #header + 1
		end
		while at <= #stands do -- a name's length, it, a value's length in 4 bytes, it
			local n = string.byte(stands, at)
			local a, b, c, d = string.byte(stands, at + n + 1, at + n + 4)
			local from, size = at + n + 5, ((a * 256 + b) * 256 + c) * 256 + d
			values[string.sub(stands, at + 1, at + n)] = string.sub(stands, from, from + size - 1)
			at = from + size
		end
		local set = 11 + tonumber(ARGV[11])
		for i = 12, set, 2 do
			values[ARGV[i]] = ARGV[i + 1]
		end
		for i = set + 1, #ARGV do
			values[ARGV[i]] = nil
		end
		-- A header of before sign-ins were kept ends after the second.
		local revoked, reused, signins = string.match(header or ' ', '^%d* (%d*) ?(%d*) ?(.*)$')
		if ARGV[4] ~= '' then
			revoked = ARGV[4]
		end
		if ARGV[9] ~= '' then
			reused = ARGV[9]
		end
		if ARGV[10] ~= '' then
			signins = ARGV[10] ~= '-' and ARGV[10] or ''
		end
		local parts = {id, ARGV[3], ' ', revoked, ' ', reused, ' ', signins, '\n'}
		for name, value in pairs(values) do
			local n = #value
			parts[#parts + 1] = string.char(#name)
			parts[#parts + 1] = name
			parts[#parts + 1] = string.char(math.floor(n / 16777216), math.floor(n / 65536) % 256, math.floor(n / 256) % 256, n % 256)
			parts[#parts + 1] = value
		end
		redis.call('SET', ledger, table.concat(parts))
		redis.call('PEXPIREAT', ledger, ARGV[5])
	end
end

local epoch
-- The mark of an entry, which the next one has as "p". It differs if anything before
-- does, where ids may not: a server that lost entries can give theirs again.
local function mark(entry, p, r)
	return string.sub(redis.sha1hex(entry .. p .. epoch .. r), 1, 16)
end
-- Adds an entry after one with this mark, and returns its id and its mark.
local function add(p, u, r)
	local entry = redis.call('XADD', feed, '*', 'e', epoch, 'p', p, 'u', u, 'r', r)
	return entry, mark(entry, p, r)
end

local last = redis.call('XREVRANGE', feed, '+', '-', 'COUNT', 1)[1]
local before, _
if last then
	epoch = last[2][2] -- the first field is always "e"
	before = mark(last[1], last[2][4], last[2][8])
else
	epoch = id .. ARGV[3]
	_, before = add('', '0', '')
end
if ARGV[6] == '' then
	write()
	return 1
end
local newest
newest, before = add(before, ARGV[7], ARGV[6])
write()

-- What is over goes, a few at a time and oldest first. What is not over after a
-- day moves to the end, or it would hold up all that comes after it.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local day = 86400000
for _, entry in ipairs(redis.call('XRANGE', feed, '-', '+', 'COUNT', 4)) do
	if entry[1] == newest then
		break
	end
	local fields = entry[2]
	if tonumber(fields[6]) >= now - 60000 then
		if tonumber(string.match(entry[1], '^%d+')) >= now - day then
			break
		end
		newest, before = add(before, fields[6], fields[8])
	end
	redis.call('XDEL', feed, entry[1])
end
return 1
