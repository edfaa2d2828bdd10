package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net/netip"
	"time"

	"github.com/hookswitch/hookswitch/flows"
	"github.com/hookswitch/hookswitch/texml"
)

// Config is hookswitch.yaml. Every key is shown with its meaning, default and
// unit in hookswitch.example.yaml.
//
// The tags say how a key is read: default is its value when it is not written
// (parts of a list are separated by commas), oneof what it may be, is the rule
// of configrules.go it follows, range the bounds of a number, path that it is
// relative to the folder of the file, need that it must be written, short that a
// single value in place of the keys is this one, later that this version does
// nothing with it.
type Config struct {
	SIP        SIPConfig            `yaml:"sip"`
	Media      MediaConfig          `yaml:"media"`
	Dial       DialConfig           `yaml:"dial"`
	HTTP       HTTPConfig           `yaml:"http"`
	Webhooks   WebhookConfig        `yaml:"webhooks"`
	Accounts   []Account            `yaml:"accounts"`
	Routes     []RouteConfig        `yaml:"routes"`
	AI         AIConfig             `yaml:"ai"`
	Connectors map[string]Connector `yaml:"connectors"`
	Store      StoreConfig          `yaml:"store"`
	Recordings RecordingsConfig     `yaml:"recordings" later:"yes"`
	Limits     LimitsConfig         `yaml:"limits"`
	Data       string               `yaml:"data" default:"hookswitch-data" path:"yes"`
}

type SIPConfig struct {
	Listen     []string       `yaml:"listen" is:"listen" default:"udp://127.0.0.1:5060,tcp://127.0.0.1:5060"`
	ExternalIP netip.Addr     `yaml:"external_ip"`
	ACL        []netip.Prefix `yaml:"acl"` // empty: loopback only
	Users      []SIPUser      `yaml:"users" later:"yes"`
	Trunks     []Trunk        `yaml:"trunks"`
}

type SIPUser struct {
	Username string `yaml:"username" need:"yes"`
	Password string `yaml:"password" need:"yes"`
}

// Trunk is a provider of numbers and lines.
type Trunk struct {
	Name        string      `yaml:"name" need:"yes"`
	Profile     string      `yaml:"profile" oneof:"telnyx twilio generic" default:"generic"`
	Region      string      `yaml:"region"`             // of telnyx
	Server      string      `yaml:"server" is:"server"` // "": that of the profile and region, if it has one
	Register    bool        `yaml:"register" later:"yes"`
	Disabled    bool        `yaml:"disabled"`
	Username    string      `yaml:"username" later:"yes"`
	Credentials Credentials `yaml:"credentials"`
	Allow       []string    `yaml:"allow" is:"host"`
	Emergency   bool        `yaml:"emergency"`
	Transport   string      `yaml:"transport" is:"transport" oneof:"udp tcp tls" default:"udp"`
	SRTP        string      `yaml:"srtp" oneof:"off optional required" default:"off" later:"yes"`
	Codecs      []string    `yaml:"codecs" oneof:"opus g722 pcmu pcma" later:"yes"` // empty: media.codecs
	MaxCalls    int         `yaml:"max_calls" range:"0 100000"`                     // 0: limits.max_calls
	MaxCPS      int         `yaml:"max_cps" range:"0 10000"`                        // 0: limits.max_cps
}

type Credentials struct {
	Username string `yaml:"username"`
	Password string `yaml:"password"`
	Realm    string `yaml:"realm" later:"yes"`
}

type MediaConfig struct {
	RTPPorts PortRange `yaml:"rtp_ports" default:"10000-20000"`
	Codecs   []string  `yaml:"codecs" oneof:"opus g722 pcmu pcma" is:"codec" default:"pcmu,pcma"`
	SRTP     string    `yaml:"srtp" oneof:"off optional required" default:"off" later:"yes"`

	// Timeout is sip.Config.MediaTimeout, but that 0 switches it off.
	Timeout time.Duration `yaml:"timeout" zero:"off" default:"30s"`
}

// DialConfig says what a document may dial, beside this machine: patterns of
// numbers and addresses, and countries as ISO 3166 codes.
type DialConfig struct {
	Allow     []string `yaml:"allow" is:"dial_allow"`
	Deny      []string `yaml:"deny" is:"dial_deny"`
	Countries []string `yaml:"countries" is:"country"`
}

type HTTPConfig struct {
	Listen    string    `yaml:"listen" is:"http_listen" default:"127.0.0.1:8080"` // "off": nowhere
	PublicURL string    `yaml:"public_url" is:"public_url"`                       // "": that of the listener
	TLS       TLSConfig `yaml:"tls" later:"yes"`
}

type TLSConfig struct {
	Cert string `yaml:"cert" path:"yes"`
	Key  string `yaml:"key" path:"yes"`
}

type WebhookConfig struct {
	AllowHosts     []string      `yaml:"allow_hosts" is:"allow_host"`
	Timeout        time.Duration `yaml:"timeout" default:"15s"`
	ConnectTimeout time.Duration `yaml:"connect_timeout" default:"5s"`
}

// Account owns calls and signs their webhooks.
type Account struct {
	SID        string     `yaml:"sid" is:"sid" need:"yes"`
	AuthTokens []string   `yaml:"auth_tokens"` // the first one signs
	SigningKey SigningKey `yaml:"signing_key"`
	Dialect    string     `yaml:"dialect" oneof:"telnyx twilio" default:"telnyx"`
}

// SigningKey is an Ed25519 key, written as the base64 of its 32 byte seed (or
// of the 64 bytes of seed and public key).
type SigningKey ed25519.PrivateKey

func (k *SigningKey) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.DecodeString(string(text))
	switch {
	case err == nil && len(b) == ed25519.SeedSize:
		*k = SigningKey(ed25519.NewKeyFromSeed(b))
		return nil
	case err == nil && len(b) == ed25519.PrivateKeySize:
		*k = SigningKey(ed25519.NewKeyFromSeed(b[:ed25519.SeedSize]))
		return nil
	}
	return errors.New("is not the base64 of an Ed25519 seed; `openssl rand -base64 32` makes one")
}

// RouteConfig is a [flows.Route] as it is written.
type RouteConfig struct {
	To                   string   `yaml:"to"`
	From                 string   `yaml:"from"`
	VoiceURL             string   `yaml:"voice_url" is:"url"`
	Flow                 string   `yaml:"flow" is:"flow" path:"yes"`
	Playbook             string   `yaml:"playbook" path:"yes" later:"yes"`
	Method               string   `yaml:"method" oneof:"GET POST" default:"POST"`
	FallbackURL          string   `yaml:"fallback_url" is:"url"`
	FallbackMethod       string   `yaml:"fallback_method" oneof:"GET POST" default:"POST"`
	StatusCallback       string   `yaml:"status_callback" is:"url"`
	StatusCallbackMethod string   `yaml:"status_callback_method" oneof:"GET POST" default:"POST"`
	StatusCallbackEvents []string `yaml:"status_callback_events" oneof:"initiated ringing answered completed" default:"completed"`
	Transfers            bool     `yaml:"transfers"`
	Account              string   `yaml:"account"`
	Dialect              string   `yaml:"dialect" oneof:"telnyx twilio"` // "": the account's
}

// FlowRoutes are the routes for [flows.NewTable].
func (c *Config) FlowRoutes() []flows.Route {
	var routes []flows.Route
	for _, r := range c.Routes {
		route := flows.Route{
			To: r.To, From: r.From, VoiceURL: r.VoiceURL, Flow: r.Flow, Playbook: r.Playbook, Method: r.Method,
			FallbackURL: r.FallbackURL, FallbackMethod: r.FallbackMethod,
			StatusCallback: r.StatusCallback, StatusCallbackMethod: r.StatusCallbackMethod,
			StatusCallbackEvents: r.StatusCallbackEvents, Transfers: r.Transfers, Account: r.Account,
		}
		if d, err := texml.ParseDialect(r.Dialect); err == nil {
			route.Dialect, route.HasDialect = d, true
		}
		routes = append(routes, route)
	}
	return routes
}

type StoreConfig struct {
	URL string `yaml:"url" is:"store"` // "": hookswitch.db in the data folder
}

type RecordingsConfig struct {
	URL string `yaml:"url" is:"url"` // "": the data folder
}

type LimitsConfig struct {
	MaxCalls     int           `yaml:"max_calls" range:"1 100000" default:"1000"`
	MaxCPS       int           `yaml:"max_cps" range:"1 10000" default:"100"`
	CallDuration time.Duration `yaml:"call_duration" default:"4h"`
}

// PortRange holds the UDP ports of RTP and RTCP, both ends included.
type PortRange struct{ Lo, Hi int }
