package sqlstore

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sallyport-go/sallyport/core"
)

// field is a column, and where in a struct its value is: what is written and what is
// read can't differ.
type field struct {
	column string
	at     any // a pointer
}

// sessionFields are the columns of user_sessions that are of the session itself.
func sessionFields(s *core.Session) []field {
	return append([]field{
		{"id", &s.ID},
		{"access_jti", &s.Access.JTI},
		{"access_issued_at", &s.Access.IssuedAt},
		{"access_expires_at", &s.Access.ExpiresAt},
		{"access_until", &s.Access.Until},
		{"generation", &s.Gen},
		{"serial", &s.Serial},
		{"min_serial", &s.MinSerial},
		{"moved_at", &s.MovedAt},
		{"seen_at", &s.SeenAt},
		{"retire_at", &s.RetireAt},
		{"late_replays", &s.LateReplays},
		{"revoked_tokens", &s.Revoked},
		{"user_agent", &s.UserAgent},
		{"created_at", &s.CreatedAt},
		{"last_seen_at", &s.LastSeenAt},
		{"expires_at", &s.ExpiresAt},
		{"refresh_expires_at", &s.RefreshExpiresAt},
		{"absolute_expires_at", &s.AbsoluteExpiresAt},
		{"risk_score", &s.Risk.Score},
		{"risk_reasons", &s.Risk.Reasons},
		{"auth_time", &s.AuthTime},
		{"amr", &s.AMR},
		{"scopes", &s.Scopes},
		{"roles", &s.Roles},
		{"claims", &s.Claims},
	}, placedFields(&s.Device, &s.IP, &s.Location)...)
}

// placedFields are the columns of a device somewhere, alike in two tables.
func placedFields(d *core.Device, ip *string, l *core.Location) []field {
	return []field{
		{"device_id", &d.ID},
		{"device_signed", &d.Signed},
		{"device_name", &d.Name},
		{"device_type", &d.Type},
		{"client_type", &d.ClientType},
		{"browser", &d.Browser},
		{"os", &d.OS},
		{"ip_address", ip},
		{"country", &l.Country},
		{"location", &l.City},
	}
}

// deviceFields are the columns of user_session_devices that are of the device itself.
func deviceFields(d *core.KnownDevice) []field {
	return append([]field{
		{"first_seen_at", &d.FirstSeenAt},
		{"last_seen_at", &d.LastSeenAt},
	}, placedFields(&d.Device, &d.IP, &d.Location)...)
}

// ledgerFields are the columns of user_session_ledgers that a ledger has.
func ledgerFields(l *core.Ledger) []field {
	return []field{
		{"version", &l.Version},
		{"changed_at", &l.At},
		{"revoked_at", &l.RevokedAt},
		{"reused_at", &l.ReusedAt},
		{"sign_ins", &l.SignIns},
		{"networks", &l.Networks},
		{"pending", &l.Pending},
		{"foreign_tokens", &l.Foreign},
	}
}

// revocationFields are the columns of user_session_feed that are of the revocation
// itself.
func revocationFields(r *core.Revocation) []field {
	return []field{
		{"user_id", &r.UserID},
		{"session_id", &r.Session},
		{"min_serial", &r.MinSerial},
		{"jti", &r.JTI},
		{"from_at", &r.From},
		{"until_at", &r.Until},
	}
}

// settledFields are the columns that have indexes, but for the keys and due_at: no
// refresh changes them.
func settledFields(s *core.Session) []field { return indexed(s, true) }

// movingFields are the others, but for the id.
func movingFields(s *core.Session) []field { return indexed(s, false)[1:] }

func indexed(s *core.Session, is bool) []field {
	return slices.DeleteFunc(sessionFields(s), func(f field) bool {
		return slices.Contains([]string{"created_at", "device_id", "ip_address", "risk_score"}, f.column) != is
	})
}

func columnsOf(fields []field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.column
	}
	return names
}

// values are what is written of fields.
func (e *engine) values(fields []field) []any {
	all := make([]any, len(fields))
	for i, f := range fields {
		all[i] = e.value(f.at)
	}
	return all
}

// endOfTime is the latest time that every database takes.
var endOfTime = time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)

// value is what is written of what a pointer points to. What is zero and has no zero
// in the database is NULL.
func (e *engine) value(at any) any {
	switch v := at.(type) {
	case *string:
		return *v
	case *bool:
		return *v
	case *int:
		return int64(*v)
	case *uint64:
		return int64(*v)
	case *core.ID:
		if v.IsZero() {
			return nil
		}
		return v.String()
	case *time.Time:
		switch {
		case v.IsZero():
			return nil
		case v.After(endOfTime):
			return e.timeValue(endOfTime)
		}
		return e.timeValue(*v)
	case *[]byte:
		if len(*v) == 0 {
			return nil
		}
		return string(*v)
	}
	return listText(at)
}

// column is how a field is read.
func (e *engine) column(f field) string {
	if _, is := f.at.(*time.Time); is {
		return e.timeColumn(f.column)
	}
	return f.column
}

// scanned returns where to scan fields to.
func scanned(fields []field) []any {
	all := make([]any, len(fields))
	for i, f := range fields {
		all[i] = scan{f.at}
	}
	return all
}

// scan reads a column into what a pointer points to, whatever the driver makes of it.
type scan struct{ at any }

// Scan implements sql.Scanner.
func (s scan) Scan(from any) error {
	switch at := s.at.(type) {
	case *time.Time:
		return scanTime(at, from)
	case *bool:
		n, err := number(from)
		*at = n != 0
		return err
	case *int:
		n, err := number(from)
		*at = int(n)
		return err
	case *uint64:
		n, err := number(from)
		*at = uint64(n)
		return err
	}
	text, err := textOf(from)
	if err != nil {
		return err
	}
	switch at := s.at.(type) {
	case *string:
		*at = text
	case *core.ID:
		err = at.UnmarshalText([]byte(text))
	case *[]byte:
		*at = nil
		if text != "" {
			*at = []byte(text)
		}
	default:
		err = readList(at, text)
	}
	return err
}

// textOf is a column of text; NULL is "".
func textOf(from any) (string, error) {
	switch v := from.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	}
	return "", fmt.Errorf("%w: %T where text should be", errStored, from)
}

// number is a column of whole numbers or of true and false; NULL is 0.
func number(from any) (int64, error) {
	switch v := from.(type) {
	case nil:
		return 0, nil
	case int64:
		return v, nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	}
	text, err := textOf(from)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errStored, err)
	}
	return n, nil
}

func scanTime(at *time.Time, from any) error {
	*at = time.Time{}
	if t, is := from.(time.Time); is {
		*at = t.UTC()
		return nil
	}
	text, err := textOf(from)
	if err != nil || text == "" {
		return err
	}
	t, err := time.Parse(timeLayout, text)
	if err != nil {
		return fmt.Errorf("%w: %w", errStored, err)
	}
	*at = t
	return nil
}

// Lists are JSON, times in it Unix milliseconds. Members are never renamed.

type storedToken struct {
	JTI   string `json:"jti"`
	Until int64  `json:"until"`
}

type storedReason struct {
	Code   string `json:"code"`
	Points int    `json:"points"`
	Detail string `json:"detail"`
}

type storedNetwork struct {
	Prefix     string `json:"prefix"`
	ASN        uint32 `json:"asn"`
	Country    string `json:"country"`
	City       string `json:"city"`
	LastSeenAt int64  `json:"last_seen_at"`
}

type storedPending struct {
	Session   map[string]string `json:"session"` // by column, without those that are NULL
	ExpiresAt int64             `json:"expires_at"`
	Attempts  int               `json:"attempts"`
}

// zeroTime is the zero time in a list, where every time stands as a number.
var zeroTime = time.Time{}.UnixMilli()

func readMillis(ms int64) time.Time {
	if ms == zeroTime {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// listText is what is written of a list: NULL if it is empty.
func listText(at any) any {
	var list any
	n := 0
	switch v := at.(type) {
	case *[]string:
		list, n = *v, len(*v)
	case *[]time.Time:
		list, n = mapped(*v, func(t time.Time) int64 { return t.UnixMilli() }), len(*v)
	case *[]core.RevokedToken:
		list, n = mapped(*v, func(t core.RevokedToken) storedToken { return storedToken{t.JTI, t.Until.UnixMilli()} }), len(*v)
	case *[]core.RiskReason:
		list, n = mapped(*v, func(r core.RiskReason) storedReason { return storedReason(r) }), len(*v)
	case *[]core.KnownNetwork:
		list, n = mapped(*v, func(w core.KnownNetwork) storedNetwork {
			return storedNetwork{w.Prefix, w.ASN, w.Location.Country, w.Location.City, w.LastSeenAt.UnixMilli()}
		}), len(*v)
	case *[]core.Pending:
		list, n = mapped(*v, writePending), len(*v)
	default:
		panic(fmt.Sprintf("sqlstore: no column holds a %T", at))
	}
	if n == 0 {
		return nil
	}
	text, _ := json.Marshal(list) // of text and numbers: it can't fail
	return string(text)
}

func readList(at any, text string) error {
	switch v := at.(type) {
	case *[]string:
		return read(v, text, func(w string) (string, error) { return w, nil })
	case *[]time.Time:
		return read(v, text, func(ms int64) (time.Time, error) { return readMillis(ms), nil })
	case *[]core.RevokedToken:
		return read(v, text, func(t storedToken) (core.RevokedToken, error) {
			return core.RevokedToken{JTI: t.JTI, Until: readMillis(t.Until)}, nil
		})
	case *[]core.RiskReason:
		return read(v, text, func(r storedReason) (core.RiskReason, error) { return core.RiskReason(r), nil })
	case *[]core.KnownNetwork:
		return read(v, text, func(w storedNetwork) (core.KnownNetwork, error) {
			return core.KnownNetwork{
				Prefix: w.Prefix, ASN: w.ASN, Location: core.Location{Country: w.Country, City: w.City}, LastSeenAt: readMillis(w.LastSeenAt),
			}, nil
		})
	case *[]core.Pending:
		return read(v, text, readPending)
	}
	panic(fmt.Sprintf("sqlstore: no column holds a %T", at))
}

func mapped[A, B any](list []A, f func(A) B) []B {
	out := make([]B, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}

func read[A, B any](at *[]B, text string, f func(A) (B, error)) error {
	*at = nil
	if text == "" {
		return nil
	}
	var stored []A
	if err := json.Unmarshal([]byte(text), &stored); err != nil {
		return fmt.Errorf("%w: %w", errStored, err)
	}
	for _, v := range stored {
		value, err := f(v)
		if err != nil {
			return err
		}
		*at = append(*at, value)
	}
	return nil
}

// asText is how columns stand in JSON.
var asText = &engine{timeValue: textTime}

func writePending(p core.Pending) storedPending {
	s := storedPending{map[string]string{}, p.ExpiresAt.UnixMilli(), p.Attempts}
	for _, f := range sessionFields(&p.Session) {
		switch v := asText.value(f.at).(type) {
		case string:
			s.Session[f.column] = v
		case int64:
			s.Session[f.column] = strconv.FormatInt(v, 10)
		case bool:
			if v {
				s.Session[f.column] = "1"
			}
		}
	}
	return s
}

func readPending(s storedPending) (core.Pending, error) {
	p := core.Pending{ExpiresAt: readMillis(s.ExpiresAt), Attempts: s.Attempts}
	for _, f := range sessionFields(&p.Session) {
		if text, set := s.Session[f.column]; set {
			if err := (scan{f.at}).Scan(text); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}
