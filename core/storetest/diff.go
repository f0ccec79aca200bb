package storetest

import (
	"bytes"
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
	switch got.Type() {
	case timeType:
		g, w := got.Interface().(time.Time), want.Interface().(time.Time)
		if !g.Equal(w) || g.Location() != time.UTC {
			say(g, w)
		}
		return
	case idType:
		if !got.Equal(want) {
			say(got.Interface(), want.Interface())
		}
		return
	case bytesType:
		if g, w := got.Bytes(), want.Bytes(); !bytes.Equal(g, w) {
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

// sorted puts the lists of a ledger, which have no order, in one: that of the
// first field of their elements, which is an id. Times have an order, and keep it.
func sorted(l core.Ledger) core.Ledger {
	v := reflect.ValueOf(&l).Elem()
	for i := range v.NumField() {
		list := v.Field(i)
		if list.Kind() != reflect.Slice || list.Type().Elem() == timeType {
			continue
		}
		elems := make([]reflect.Value, list.Len())
		for j := range elems {
			elems[j] = list.Index(j)
		}
		slices.SortStableFunc(elems, func(a, b reflect.Value) int { return strings.Compare(firstField(a), firstField(b)) })
		list.Set(reflect.Append(reflect.Zero(list.Type()), elems...))
	}
	return l
}

func firstField(v reflect.Value) string {
	for v.Kind() == reflect.Struct {
		v = v.Field(0)
	}
	return fmt.Sprint(v.Interface())
}
