package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Authority is a throw-away certificate authority with one certificate, for servers and clients alike.
type Authority struct {
	CA, Cert, Key string // files in PEM
	Config        *tls.Config

	ca    *x509.Certificate
	caKey *ecdsa.PrivateKey
}

// NewAuthority makes an authority whose certificate is for names, or for the loopback address if there are none.
func NewAuthority(tb testing.TB, names ...string) *Authority {
	tb.Helper()
	a := &Authority{}
	var err error
	a.caKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(tb, err)
	a.ca = template(1, "test authority", time.Now().Add(time.Hour))
	a.ca.IsCA, a.ca.BasicConstraintsValid, a.ca.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, a.ca, a.ca, a.caKey.Public(), a.caKey)
	must(tb, err)
	a.ca, err = x509.ParseCertificate(der)
	must(tb, err)
	a.issue(tb, time.Now().Add(time.Hour), names...)
	return a
}

// NewExpired returns the same authority with a certificate for the loopback address that is no longer valid.
func NewExpired(tb testing.TB, of *Authority) *Authority {
	tb.Helper()
	a := &Authority{ca: of.ca, caKey: of.caKey}
	a.issue(tb, time.Now().Add(-time.Minute))
	a.Config = of.Config // for the clients of the tests, which are not refused
	return a
}

// issue makes the certificate and writes the files.
func (a *Authority) issue(tb testing.TB, expires time.Time, names ...string) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(tb, err)
	leaf := template(2, "test", expires)
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if leaf.DNSNames = names; len(names) == 0 {
		leaf.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, a.ca, key.Public(), a.caKey)
	must(tb, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(tb, err)

	dir := tb.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		must(tb, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
		return path
	}
	a.CA = write("ca.pem", "CERTIFICATE", a.ca.Raw)
	a.Cert = write("cert.pem", "CERTIFICATE", leafDER)
	a.Key = write("key.pem", "PRIVATE KEY", keyDER)
	roots := x509.NewCertPool()
	roots.AddCert(a.ca)
	a.Config = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{leafDER}, PrivateKey: key}}}
	if len(names) > 0 {
		a.Config.ServerName = names[0]
	}
}

func template(serial int64, name string, expires time.Time) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: expires}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
