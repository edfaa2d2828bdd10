package texml

// Application is another application of the account to call, which only Twilio can.
type Application struct {
	base
	URL, Method string
	StatusCallbacks
	CustomerID     string
	CopyParentTo   bool
	ApplicationSID string
	Parameters     []Parameter
}

func application(e *element) Node {
	e.unsupported(12200, "go on with the other application's document by <Redirect>")
	a := &Application{
		base:            e.base(),
		URL:             e.attr("url", 0).url(),
		Method:          e.attr("method", 0).method("POST"),
		StatusCallbacks: statusCallbacks(e, completed, "initiated", "ringing", "answered", "completed"),
		CustomerID:      e.attr("customerId", 0).text(),
		CopyParentTo:    e.attr("copyParentTo", 0).boolean(false),
	}
	a.ApplicationSID, a.Parameters = named(e, "ApplicationSid")
	return a
}
