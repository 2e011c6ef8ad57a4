"""The actions of the customer API: API keys are limited to them, rate limits count them."""

from django.db import models


class Action(models.TextChoices):
    """An API action. The value is its name in lower case, as names are compared; the label is the documented name."""

    SEND_SAVED_MMS = "sendsavedmms", "sendSavedMMS"
    SAVE_MMS = "savemms", "saveMMS"
    SEND_MMS = "sendmms", "sendMMS"
    DELETE_MMS_ID = "deletemmsid", "deleteMMSID"
    GET_MMS_TEMPLATES = "getmmstemplates", "getMMSTemplates"
    GET_MESSAGE = "getmessage", "getMessage"
    REPLAY_POSTBACKS = "replaypostbacks", "replayPostbacks"
    LOGIN_USER = "loginuser", "loginUser"
