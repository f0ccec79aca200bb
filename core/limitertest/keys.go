package limitertest

import "strings"

var keyCases = []testCase{
	{
		"keys/independent",
		"A key takes nothing from another.",
		func(k *kit) {
			var used, fresh []string
			for range 20 {
				used, fresh = append(used, k.key()), append(fresh, k.key())
			}
			for _, key := range used {
				k.use(key, five, count+1)
			}
			for i := range used {
				k.allowed(fresh[i], five, 1, count-1)
				k.refused(used[i], five, 1, 0, every)
			}
		},
	},
	{
		"keys/alike",
		"Keys that differ in any byte are different keys, and none is a pattern or has parts.",
		func(k *kit) {
			own := k.key()
			long := own + strings.Repeat("x", 128-len(own)-1)
			keys := []string{
				own, own + "0", own + ":", own + ":a", own + ":b", own + "/a", own + "/../a", own + "*", own + "?", own + "[a-z]",
				own + `\`, own + `"`, own + "'", own + "`", own + "%", own + "%41", own + "%s", own + "A", own + "a", own + "~", own + "!",
				own + "{", own + "}", own + "{}", own + "{a}", own + "{b}", "{" + own + "}", own + "$", own + "#", own + "--", own + ";", own + "&a=b",
				long + "x", long + "y", long,
			}
			for i, key := range keys {
				if a := k.take(key, five, 0); !a.OK || a.Left != count {
					k.errorf("key %d, %q: got %v before it was used", i, key, told(a))
				}
				k.use(key, five, count)
			}
			for i, key := range keys {
				if k.take(key, five, 1).OK {
					k.errorf("key %d, %q: got OK after it was used up", i, key)
				}
			}
		},
	},
}
