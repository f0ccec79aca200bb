package settings

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// redis reads where Redis is, in one of these forms; nil: it is not set.
//
//	redis://, rediss:// and unix://   as redis.ParseURL takes them
//	redis+cluster://user:password@host:port,host:port
//	redis+sentinel://user:password@master@host:port,host:port
//
// Behind each may stand the options of redis.ParseURL, and behind the last also
// sentinel_username and sentinel_password: user and password are always those of
// Redis itself. Which database is /1 or ?db=1; a Cluster has but one.
func (r *reader) redis(name string) *redis.UniversalOptions {
	text := r.getenv(name)
	if text == "" {
		return nil
	}
	o, err := redisOptions(text)
	if err != nil {
		r.wrong(name, "%v", err)
	}
	return o
}

// No error here shows a part of what was set: where it is cut is what may be
// wrong, and any part may be one of a password.
var (
	errForm     = errors.New("it begins with none of redis://, rediss://, unix://, redis+cluster:// and redis+sentinel://")
	errEncoding = errors.New("it is no URL: in a user, a password and an option / is written %2F, ? %3F, # %23, @ %40 and % %25")
	errPassword = errors.New("a user without a password: write user:password@ or :password@")
	errMaster   = errors.New("the master has no name: write redis+sentinel://master@host:port,host:port")
	errSeveral  = errors.New("several addresses need redis+cluster:// or redis+sentinel://")
	errCluster  = errors.New("a Cluster has no database but 0")
	errDatabase = errors.New("the database is no number")
	errSocket   = errors.New("write unix:///path/to/socket or unix://user:password@/path/to/socket")
)

func redisOptions(text string) (*redis.UniversalOptions, error) {
	scheme, rest, _ := strings.Cut(text, "://")
	end := strings.IndexAny(rest+"/", "/?#")
	authority, tail := rest[:end], rest[end:]
	if strings.ContainsAny(tail, "@#") { // of a password that was cut, or dropped by redis.ParseURL
		return nil, errEncoding
	}
	credentials, hosts := cutLast(authority)
	var o *redis.UniversalOptions
	var err error
	switch strings.ToLower(scheme) {
	case "redis", "rediss":
		if strings.Contains(hosts, ",") {
			return nil, errSeveral
		}
		o, err = oneServer(text)
	case "unix":
		if path, _, _ := strings.Cut(tail, "?"); hosts != "" || path == "" {
			return nil, errSocket
		}
		o, err = oneServer(text)
	case "redis+cluster":
		if o, err = severalServers(credentials, hosts, tail); err == nil {
			o.IsClusterMode = true
		}
	case "redis+sentinel":
		o, err = sentinels(credentials, hosts, tail)
	default:
		return nil, errForm
	}
	switch {
	case err != nil:
		return nil, err
	case o.Username != "" && o.Password == "" || o.SentinelUsername != "" && o.SentinelPassword == "":
		return nil, errPassword // redis.NewClient would pass over the user
	case o.DB < 0:
		return nil, errDatabase
	case o.DB > 0 && o.IsClusterMode:
		return nil, errCluster
	}
	for i, addr := range o.Addrs {
		if !strings.HasPrefix(addr, "/") && !isAddress(addr) {
			return nil, fmt.Errorf("address %d is not host:port", i+1)
		}
	}
	return o, nil
}

// sentinels reads what asks sentinels where the master is.
func sentinels(credentials, hosts, tail string) (*redis.UniversalOptions, error) {
	credentials, name := cutLast(credentials)
	master, err := url.PathUnescape(name)
	switch {
	case err != nil || strings.Contains(credentials, "@"):
		return nil, errEncoding
	case name == "" || strings.Contains(name, ":"):
		return nil, errMaster
	}
	path, query, _ := strings.Cut(tail, "?")
	own, err := url.ParseQuery(query)
	if err != nil {
		return nil, errEncoding
	}
	const user, password = "sentinel_username", "sentinel_password"
	options := strings.Split(query, "&")
	for i, option := range options {
		if name, _, _ := strings.Cut(option, "="); name == user || name == password {
			options[i] = ""
		}
	}
	o, err := severalServers(credentials, hosts, path+"?"+strings.Join(options, "&"))
	if err != nil {
		return nil, err
	}
	o.MasterName, o.SentinelUsername, o.SentinelPassword = master, own.Get(user), own.Get(password)
	return o, nil
}

// severalServers reads a form that redis.ParseURL does not know.
func severalServers(credentials, hosts, tail string) (*redis.UniversalOptions, error) {
	if credentials != "" {
		credentials += "@"
	}
	o, err := oneServer("redis://" + credentials + "localhost" + tail)
	if err == nil {
		o.Addrs = strings.Split(hosts, ",")
	}
	return o, err
}

// oneServer reads a form that redis.ParseURL knows.
func oneServer(text string) (*redis.UniversalOptions, error) {
	o, err := redis.ParseURL(text)
	if err == nil {
		u, _ := url.Parse(text)
		if _, err := url.ParseQuery(u.RawQuery); err != nil { // redis.ParseURL passes over such an option
			return nil, errEncoding
		}
		return universal(o), nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, errEncoding
	}
	for i, option := range strings.Split(u.RawQuery, "&") {
		alone := url.URL{Scheme: u.Scheme, Path: "/0", RawQuery: option}
		if _, err := redis.ParseURL(alone.String()); err != nil {
			return nil, fmt.Errorf("option %d is unknown to redis.ParseURL, or has a wrong value", i+1)
		}
	}
	return nil, errDatabase
}

// universal has every option that redis.ParseURL sets.
func universal(o *redis.Options) *redis.UniversalOptions {
	return &redis.UniversalOptions{
		Addrs:                   []string{o.Addr},
		DB:                      o.DB,
		Username:                o.Username,
		Password:                o.Password,
		TLSConfig:               o.TLSConfig,
		Protocol:                o.Protocol,
		ClientName:              o.ClientName,
		MaxRetries:              o.MaxRetries,
		MinRetryBackoff:         o.MinRetryBackoff,
		MaxRetryBackoff:         o.MaxRetryBackoff,
		DialTimeout:             o.DialTimeout,
		ReadTimeout:             o.ReadTimeout,
		WriteTimeout:            o.WriteTimeout,
		PoolFIFO:                o.PoolFIFO,
		PoolSize:                o.PoolSize,
		PoolTimeout:             o.PoolTimeout,
		MinIdleConns:            o.MinIdleConns,
		MaxIdleConns:            o.MaxIdleConns,
		MaxActiveConns:          o.MaxActiveConns,
		MaxConcurrentDials:      o.MaxConcurrentDials,
		PipelinePoolSize:        o.PipelinePoolSize,
		PipelineReadBufferSize:  o.PipelineReadBufferSize,
		PipelineWriteBufferSize: o.PipelineWriteBufferSize,
		ConnMaxIdleTime:         o.ConnMaxIdleTime,
		ConnMaxLifetime:         o.ConnMaxLifetime,
		ConnMaxLifetimeJitter:   o.ConnMaxLifetimeJitter,
	}
}

// cutLast returns what is before the last @, and what is after it.
func cutLast(text string) (before, after string) {
	i := strings.LastIndexByte(text, '@')
	return text[:max(i, 0)], text[i+1:]
}

func isAddress(text string) bool {
	host, port, err := net.SplitHostPort(text)
	n, notNumber := strconv.Atoi(port)
	if strings.Contains(host, ":") && err == nil {
		_, err = netip.ParseAddr(host)
	}
	return err == nil && notNumber == nil && host != "" && 0 < n && n <= math.MaxUint16
}
