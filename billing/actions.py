"""The actions of the customer API: what a key may be used for, and what is counted."""

from django.db import models


class Action(models.TextChoices):
    """An action by its name in lower case, which is how names are compared; the label is the documented name."""

    SEND_SAVED_MMS = "sendsavedmms", "sendSavedMMS"
    SAVE_MMS = "savemms", "saveMMS"
    SEND_MMS = "sendmms", "sendMMS"
    DELETE_MMS_ID = "deletemmsid", "deleteMMSID"
    GET_MMS_TEMPLATES = "getmmstemplates", "getMMSTemplates"
    GET_MESSAGE = "getmessage", "getMessage"
    REPLAY_POSTBACKS = "replaypostbacks", "replayPostbacks"
    LOGIN_USER = "loginuser", "loginUser"
