// Package texml reads call documents: the XML a webhook answers with.
//
// [Parse] turns bytes into a [Document] of typed verbs, each with the place it
// came from, or into [Errors] saying what is wrong and what to write instead.
// It does no I/O and knows nothing of calls; package verbs gives each type here
// its behaviour.
package texml
