"""What a run may cost, would cost and has cost, in dollars.

For the scripts and the other rooms:

account     the budget of a run and its bills (--max-cost)
quotes      what a run would cost (--quote)
past_costs  what the records on disk have cost (--costs)
prices      list prices, offline, and a model's own; how dollars are written

Inside:

purses      room under a limit: of a record, of each of its requests
surplus     what a server counts beyond what a request explains
"""
