-- Begins the life of a feed that has none: there is no entry in it, whatever was
-- there before.
--
-- KEYS  the feed
-- ARGV  1 random bytes to name the epoch

if redis.call('XLEN', KEYS[1]) == 0 then
	local time = redis.call('TIME')
	local epoch = ARGV[1] .. string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
	redis.call('XADD', KEYS[1], '*', 'e', epoch, 'p', '', 'u', '0', 'r', '')
end
return 1
