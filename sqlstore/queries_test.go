package sqlstore_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sallyport-go/sallyport/sqlstore"
	"github.com/sallyport-go/sallyport/sqlstore/internal/sqltest"
)

var (
	sqlBlock = regexp.MustCompile("(?s)```sql\n(.*?)\n```")
	ofEngine = regexp.MustCompile(`^-- ([a-z ]+)\n`)
)

// Every query in docs/sql.md runs, finds something, and finds it by an index, unless it
// says that it reads all.
func TestQueries(t *testing.T) {
	long(t)
	page, err := os.ReadFile("../docs/sql.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := sqlBlock.FindAllSubmatch(page, -1)
	if len(blocks) < 13 {
		t.Fatalf("got %d queries", len(blocks))
	}
	onEach(t, func(t *testing.T, engine string) {
		d := migrated(t, sqltest.New(t, engine))
		now := time.Now().UTC().Truncate(time.Millisecond)
		beginBuckets(t, open(t, d, sqlstore.Options{}), now)
		fill(t, d, crowd{users: 2000, live: 4, ended: 6, feed: 1600, events: 10}, now)
		db := d.Open(t)
		if engine == "postgres" { // it reads all of a table as small as these, if it may
			db = d.With("enable_seqscan=off").Open(t)
		}
		var id string
		if err := db.QueryRowContext(t.Context(), "SELECT max(id) FROM user_sessions").Scan(&id); err != nil {
			t.Fatal(err)
		}
		at := func(ago time.Duration) string {
			text := now.Add(-ago).Format("2006-01-02 15:04:05.000")
			if engine == "postgres" {
				text += "Z"
			}
			return "'" + text + "'"
		}
		values := strings.NewReplacer(":user", "'crowd-7'", ":device", "'device-7'", ":address", "'192.0.7.7'", ":id", "'"+id+"'",
			":since", at(25*time.Hour), ":now", at(-55*time.Minute), ":recently", at(5*time.Minute))
		ran := 0
		for _, block := range blocks {
			text, all := string(block[1]), false
			if note := ofEngine.FindStringSubmatch(text); note != nil {
				text = text[len(note[0]):]
				if all = note[1] == "reads all"; !all && !strings.Contains(note[1], engine) {
					continue
				}
			}
			asked := statement{text: values.Replace(text)}
			rows, err := db.QueryContext(t.Context(), asked.text)
			found := false
			if err == nil {
				found = rows.Next()
				err = rows.Close()
			}
			if err != nil || !found {
				t.Errorf("found %t, error %v, of\n%s", found, err, asked.text)
				continue
			}
			steps, err := plan(t.Context(), db, engine, asked)
			if err != nil {
				t.Fatal(err)
			}
			if step := readsAll(engine, steps); step != "" && !all {
				t.Errorf("%s of\n%s", step, asked.text)
			}
			t.Logf("%s\n%s", asked.text, steps)
			ran++
		}
		if ran < len(blocks)-1 {
			t.Errorf("ran %d", ran)
		}
	})
}
