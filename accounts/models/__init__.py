"""The tables of the book of customers.  Everything joins on one customer."""

from accounts.models.contracts import ContractLine, FxRate, Invoice, MrrEvent, Order, Product
from accounts.models.customers import Contact, Customer, Department, Project
from accounts.models.dealings import Cost, Opportunity, Touch
from accounts.models.imports import Identity, ImportBatch, RejectedRow, WaitingRow
from accounts.models.usage import ActivityDaily, FeedDay, Metric, UsageBlock, UsageDaily
from accounts.models.voice import Event, NpsResponse, SurveyAnswer, Ticket

__all__ = [
    "ActivityDaily", "Contact", "ContractLine", "Cost", "Customer", "Department", "Event", "FeedDay", "FxRate",
    "Identity", "ImportBatch", "Invoice", "Metric", "MrrEvent", "NpsResponse", "Opportunity", "Order", "Product",
    "Project", "RejectedRow", "SurveyAnswer", "Ticket", "Touch", "UsageBlock", "UsageDaily", "WaitingRow",
]  # fmt: skip
