package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// differences says where got is not want, as "Sessions[2].Gen: got 1, want 2".
// A list that is nil and one that is empty are the same; times have to be UTC.
func differences(got, want any) []string {
	var d []string
	differ(reflect.ValueOf(got), reflect.ValueOf(want), "", &d)
	return d
}

func differ(got, want reflect.Value, path string, d *[]string) {
	say := func(g, w any) {
		*d = append(*d, fmt.Sprintf("%s: got %s, want %s", strings.TrimPrefix(path, "."), show(g), show(w)))
	}
	switch g := got.Interface().(type) {
	case time.Time:
		if w := want.Interface().(time.Time); !g.Equal(w) || g.Location() != time.UTC {
			say(g, w)
		}
		return
	case core.ID:
		if w := want.Interface().(core.ID); g != w {
			say(g, w)
		}
		return
	case []byte:
		if w := want.Interface().([]byte); string(g) != string(w) {
			say(g, w)
		}
		return
	}
	switch got.Kind() {
	case reflect.Struct:
		for i := range got.NumField() {
			differ(got.Field(i), want.Field(i), path+"."+got.Type().Field(i).Name, d)
		}
	case reflect.Slice:
		if got.Len() != want.Len() {
			say(fmt.Sprint(got.Len(), " of them"), fmt.Sprint(want.Len()))
			return
		}
		for i := range got.Len() {
			differ(got.Index(i), want.Index(i), fmt.Sprintf("%s[%d]", path, i), d)
		}
	default:
		if !got.Equal(want) {
			say(got.Interface(), want.Interface())
		}
	}
}

func show(v any) string {
	switch v := v.(type) {
	case time.Time:
		return v.Format("2006-01-02T15:04:05.999999999 MST")
	case []byte:
		return fmt.Sprintf("%q", clip(string(v)))
	case string:
		return fmt.Sprintf("%q", clip(v))
	}
	return fmt.Sprint(v)
}

func clip(s string) string {
	if len(s) > 160 {
		return s[:100] + fmt.Sprintf("… (%d bytes)", len(s))
	}
	return s
}

// short is a user id in a message.
func short(user string) string { return fmt.Sprintf("%q", clip(user)) }

// sorted puts the lists of a ledger, which have no order, in one: that of
// their elements' first fields, which are ids.
func sorted(l core.Ledger) core.Ledger {
	v := reflect.ValueOf(&l).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() != reflect.Slice {
			continue
		}
		order := make([]int, f.Len())
		keys := make([]string, f.Len())
		for j := range order {
			order[j], keys[j] = j, fmt.Sprint(f.Index(j).Interface())
		}
		slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(keys[a], keys[b]) })
		list := reflect.MakeSlice(f.Type(), 0, f.Len())
		for _, j := range order {
			list = reflect.Append(list, f.Index(j))
		}
		f.Set(list)
	}
	return l
}
