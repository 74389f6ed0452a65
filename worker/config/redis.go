package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is where Redis is, and how to connect with it.
type Redis struct {
	RedisURL                URL           `envconfig:"WQ_REDIS_URL" default:"redis://localhost:6379/0" secret:"true" value:"redis.external.url" desc:"redis://host:port/db, or rediss:// for TLS"`
	RedisUsername           string        `envconfig:"WQ_REDIS_USERNAME" value:"redis.external.username redis.acl.enabled" desc:"ACL user, if it is not in the URL"`
	RedisPassword           string        `envconfig:"WQ_REDIS_PASSWORD" secret:"true" value:"redis.password redis.existingSecret" desc:"password, if it is not in the URL"`
	RedisUnreachableTimeout time.Duration `envconfig:"WQ_REDIS_UNREACHABLE_TIMEOUT" default:"2m" min:"0s" value:"redis.unreachableTimeout" desc:"how long Redis may be unreachable before the worker exits with code 69"`

	RedisAddrs            Addrs    `envconfig:"WQ_REDIS_ADDRS" value:"redis.external.addresses" desc:"comma-separated host:port of the Sentinels, or of some nodes of the Cluster, instead of the one in the URL"`
	RedisSentinelMaster   string   `envconfig:"WQ_REDIS_SENTINEL_MASTER" value:"redis.external.sentinel.master" desc:"name of the master that the Sentinels watch"`
	RedisSentinelUsername string   `envconfig:"WQ_REDIS_SENTINEL_USERNAME" value:"redis.external.sentinel.username" desc:"ACL user of the Sentinels themselves"`
	RedisSentinelPassword string   `envconfig:"WQ_REDIS_SENTINEL_PASSWORD" secret:"true" value:"redis.external.sentinel.existingSecret" desc:"password of the Sentinels themselves"`
	RedisCluster          bool     `envconfig:"WQ_REDIS_CLUSTER" default:"false" value:"redis.external.cluster" desc:"true if the server is a node of a Redis Cluster"`
	RedisTLS              bool     `envconfig:"WQ_REDIS_TLS" default:"false" value:"redis.external.tls.enabled" desc:"true to use TLS, as rediss:// in the URL does"`
	RedisTLSCA            CertPool `envconfig:"WQ_REDIS_TLS_CA" value:"redis.external.tls.existingSecret" desc:"file of the certificates, in PEM, to trust instead of the public ones"`
	RedisTLSCert          string   `envconfig:"WQ_REDIS_TLS_CERT" value:"redis.external.tls.existingSecret" desc:"file of the client's certificate, in PEM, if the server asks for one"`
	RedisTLSKey           string   `envconfig:"WQ_REDIS_TLS_KEY" value:"redis.external.tls.existingSecret" desc:"file of the key of WQ_REDIS_TLS_CERT, in PEM"`
	RedisTLSServerName    string   `envconfig:"WQ_REDIS_TLS_SERVER_NAME" value:"redis.external.tls.serverName" desc:"name in the server's certificate, if it is not the host's name"`
}

// validate returns one error per contradiction.
func (c *Redis) validate() (wrong []error) {
	refuse := func(name, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf(name+": "+format, args...))
	}
	c.validateAddresses(refuse)
	c.validateTLS(refuse)
	return wrong
}

func (c *Redis) validateAddresses(refuse func(name, format string, args ...any)) {
	inURL := c.RedisURL.Options
	if (c.RedisUsername != "" || inURL.Username != "") && c.RedisPassword == "" && inURL.Password == "" {
		refuse("WQ_REDIS_USERNAME", "a user needs a password: set WQ_REDIS_PASSWORD")
	}
	sentinel := c.RedisSentinelMaster != ""
	switch {
	case sentinel && c.RedisCluster:
		refuse("WQ_REDIS_CLUSTER", "true contradicts WQ_REDIS_SENTINEL_MASTER: a Cluster has no Sentinels")
	case sentinel && len(c.RedisAddrs) == 0:
		refuse("WQ_REDIS_ADDRS", "missing: WQ_REDIS_SENTINEL_MASTER needs the addresses of the Sentinels there")
	case !sentinel && !c.RedisCluster && len(c.RedisAddrs) > 0:
		refuse("WQ_REDIS_ADDRS", "are these Sentinels or nodes of a Cluster? Set WQ_REDIS_SENTINEL_MASTER, or "+
			"WQ_REDIS_CLUSTER=true; for one server set WQ_REDIS_URL in place of this")
	}
	if c.RedisCluster && inURL.DB != 0 {
		refuse("WQ_REDIS_URL", "database %d: a Cluster (WQ_REDIS_CLUSTER) has only database 0", inURL.DB)
	}
	if (sentinel || c.RedisCluster) && inURL.Network == "unix" {
		refuse("WQ_REDIS_URL", "a socket is one server: it contradicts WQ_REDIS_SENTINEL_MASTER and WQ_REDIS_CLUSTER")
	}
	if !sentinel && (c.RedisSentinelUsername != "" || c.RedisSentinelPassword != "") {
		refuse("WQ_REDIS_SENTINEL_PASSWORD", "means nothing without WQ_REDIS_SENTINEL_MASTER")
	}
	if c.RedisSentinelUsername != "" && c.RedisSentinelPassword == "" {
		refuse("WQ_REDIS_SENTINEL_USERNAME", "a user needs a password: set WQ_REDIS_SENTINEL_PASSWORD")
	}
}

func (c *Redis) validateTLS(refuse func(name, format string, args ...any)) {
	if !c.RedisTLS && c.RedisURL.Options.TLSConfig == nil {
		for _, set := range []struct {
			name string
			is   bool
		}{
			{"WQ_REDIS_TLS_CA", c.RedisTLSCA.File != ""},
			{"WQ_REDIS_TLS_CERT", c.RedisTLSCert != ""},
			{"WQ_REDIS_TLS_KEY", c.RedisTLSKey != ""},
			{"WQ_REDIS_TLS_SERVER_NAME", c.RedisTLSServerName != ""},
		} {
			if set.is {
				refuse(set.name, "means nothing without TLS: set WQ_REDIS_TLS=true, or begin WQ_REDIS_URL with rediss://")
			}
		}
		return
	}
	switch {
	case c.RedisTLSCert == "" && c.RedisTLSKey == "":
	case c.RedisTLSCert == "":
		refuse("WQ_REDIS_TLS_CERT", "missing: WQ_REDIS_TLS_KEY is the key of a certificate")
	case c.RedisTLSKey == "":
		refuse("WQ_REDIS_TLS_KEY", "missing: WQ_REDIS_TLS_CERT needs its key")
	default:
		if _, err := tls.LoadX509KeyPair(c.RedisTLSCert, c.RedisTLSKey); err != nil {
			refuse("WQ_REDIS_TLS_CERT", "no client certificate can be made of it and WQ_REDIS_TLS_KEY: %w", err)
		}
	}
}

// URL is the address of a Redis server. It may hold a password, so it is never printed.
type URL struct{ Options *redis.Options }

// Decode implements envconfig.Decoder.
func (u *URL) Decode(value string) error {
	parsed, err := url.Parse(value)
	if err != nil {
		return err
	}
	for option := range parsed.Query() {
		if option != "skip_verify" && option != "db" { // the rest is not for users to tune, or has a variable of its own
			return errors.New("unknown option")
		}
	}
	u.Options, err = redis.ParseURL(value)
	return err
}

// Expected says what Decode takes.
func (*URL) Expected() string {
	return "a URL such as redis://redis:6379/0 or rediss://user@host:6380/0, with no options but skip_verify=true"
}

// Addrs is a list of addresses.
type Addrs []string

// Decode implements envconfig.Decoder.
func (a *Addrs) Decode(value string) error {
	*a = nil
	for word := range strings.SplitSeq(value, ",") {
		if word = strings.TrimSpace(word); word == "" {
			continue
		}
		host, port, err := net.SplitHostPort(word)
		if err != nil || host == "" || port == "" {
			return errors.New("not an address")
		}
		*a = append(*a, word)
	}
	return nil
}

// Expected says what Decode takes.
func (*Addrs) Expected() string {
	return "a comma-separated list of addresses with ports, such as sentinel-0:26379,sentinel-1:26379"
}

// CertPool is a file of certificates.
type CertPool struct{ File string }

// Decode implements envconfig.Decoder.
func (p *CertPool) Decode(value string) error {
	p.File = value
	_, err := p.Read()
	return err
}

// Read returns the certificates that are in the file now, nil without a file.
func (p *CertPool) Read() (*x509.CertPool, error) {
	if p.File == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(p.File)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate")
	}
	return pool, nil
}

// Expected says what Decode takes.
func (*CertPool) Expected() string { return "a readable file with certificates in PEM" }
